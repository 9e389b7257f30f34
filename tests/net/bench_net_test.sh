#!/bin/bash
# bench comm over hosts: --pairs names the host whose link was made slow, the limit across hosts is the link's rate, and groups
# across hosts are measured.
# usage: bench_net_test.sh PROGRAM
set -u
hosts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/hosts.sh
program=$1
failures=0
expect_line() {
  if ! grep -q -- "$2" <<<"$3"; then
    echo "FAILED: $1: no line has '$2' in:"
    echo "$3"
    failures=$((failures + 1))
  fi
}
field() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" <<<"$2"; }
between() {
  if ! awk -v value="$2" -v low="$3" -v high="$4" 'BEGIN { exit !(value >= low && value <= high) }'; then
    echo "FAILED: $1: $2 is not between $3 and $4"
    failures=$((failures + 1))
  fi
}

# Unit tests demand the direction; here what busy hosts measure of the other links may make the whole node stand out.
slow_host='[ "$(hostname)" = host2 ] && tc qdisc replace dev eth0 root tbf rate 100mbit burst 64k latency 50ms
exec "$0" "$@"'
out=$("$hosts" --hosts 4 --rate 1gbit -- sh -c "$slow_host" "$program" bench comm --pairs --backend openmpi --pair-size 1M 2>&1)
[ $? -eq 77 ] && { echo "skipped: $out"; exit 77; }
expect_line "the slow host is named" "openmpi: falls out in rate: \(what node 2 sends to the others\|the links of node 2 to the others\)" "$out"
expect_line "its host name is shown" '^\* rank 2 (host2) to rank 0 (host0): ' "$out"

out=$("$hosts" --layout 2,2 --rate 200mbit -- "$program" bench comm --backend mpi --collective all_gather -b 4M -e 4M -n 1 --repeats 3 -c --json 2>&1)
expect_line "all-gather over two hosts is right" '"ranks": 4, "nodes": 2,.*"wrong": 0' "$out"
# Half of the vector crosses each link, three quarters count as bus bandwidth: 1.5 × 25 MB/s, less headers and what a busy machine
# takes; memory alone would allow a hundred times that.
between "the limit is the link's rate" "$(field limit_gb_s "$out")" 0.018 0.039
between "the bus bandwidth is below it" "$(field busbw_gb_s "$out")" 0.002 0.040

out=$("$hosts" --layout 2,2 --rate 200mbit -- "$program" bench comm --backend mpi --collective all_reduce --group across -b 1M -e 1M -n 1 --repeats 3 -c --json 2>&1)
expect_line "groups of two ranks across hosts" '"ranks": 2, "nodes": 2,.*"wrong": 0' "$out"
# Two groups share the link, and all of the vector crosses it once in each: 25 MB/s over two.
between "groups at once share the link" "$(field limit_gb_s "$out")" 0.006 0.013

[ $failures -eq 0 ] && echo "bench comm over hosts: all checks passed"
exit $failures
