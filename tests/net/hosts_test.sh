#!/bin/bash
# hosts.sh itself: placement, separation of the hosts, exit status, byte counts, and that nothing outlives it.
set -u
hosts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/hosts.sh
export TMPDIR=$(mktemp -d)
trap 'rm -rf "$TMPDIR"' EXIT
failures=0
expect() {
  if [ "$2" != "$3" ]; then
    echo "FAILED: $1: expected '$3', got '$2'"
    failures=$((failures + 1))
  fi
}
mark=31415$$
left_over() { { pgrep -f "sleep $mark"; ls "$TMPDIR"; } | wc -l; }

out=$("$hosts" --layout 1 -- true)
[ $? -eq 77 ] && { echo "skipped: $out"; exit 77; }

out=$("$hosts" --layout 2,1 -- sh -c 'echo "$OMPI_COMM_WORLD_RANK $(hostname) $(ls /sys/class/net | tr "\n" " ")"' | sort)
expect "ranks fill hosts in order" "$out" $'0 host0 eth0 lo \n1 host0 eth0 lo \n2 host1 eth0 lo '
out=$("$hosts" --layout 2,2 --order round -- sh -c 'echo "$OMPI_COMM_WORLD_RANK $(hostname)"' | sort | tr '\n' ' ')
expect "ranks dealt out in turn" "$out" "0 host0 1 host1 2 host0 3 host1 "
out=$("$hosts" --layout 1,1,1 -- cat /proc/sys/kernel/random/boot_id | sort -u | wc -l)
expect "boot ids differ" "$out" 3
out=$("$hosts" --layout 1,1 -- sh -c 'touch /dev/shm/$(hostname); sleep 0.3; ls /dev/shm | grep -c host' | sort -u)
expect "/dev/shm is each host's own" "$out" 1

"$hosts" --layout 1,1 -- sh -c 'exit 3' 2>/dev/null
expect "exit status of the program" $? 3
"$hosts" --layout 1,0 -- true 2>/dev/null
expect "a host without ranks is refused" $? 64

report=$TMPDIR/report
"$hosts" --layout 1,1 --report "$report" --first -- hostname >/dev/null
expect "one line of counts a host" "$(wc -l <"$report")" 2
rm -f "$report"

for signal in TERM INT KILL; do
  "$hosts" --layout 2,1 -- sleep "$mark" 2>/dev/null &
  script=$!
  for ((i = 0; i < 100; ++i)); do [ "$(pgrep -fc "^sleep $mark")" = 3 ] && break; sleep 0.1; done
  expect "three ranks run before SIG$signal" "$(pgrep -fc "^sleep $mark")" 3
  [ $signal = INT ] && signal=HUP  # a background job of a script ignores SIGINT
  kill -$signal $script
  wait $script 2>/dev/null
  for ((i = 0; i < 30; ++i)); do [ "$(left_over)" = 0 ] && break; sleep 0.1; done
  expect "nothing is left after SIG$signal" "$(left_over)" 0
done
[ $failures -eq 0 ] && echo "hosts.sh: all checks passed"
exit $failures
