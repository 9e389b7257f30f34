#!/usr/bin/env bash
# sick_link_test.sh TRIREME, inside hosts.sh --first with three hosts: the health check before step 0 finds them well, then names the one whose link was
# slowed down, then one that is far below what it did when the job was last started.
set -euo pipefail
trireme=$1
run=$(mktemp -d -p /tmp)  # seen by all hosts, unlike TMPDIR
trap 'rm -rf "$run"' EXIT
mkdir "$run/log"
fail() { echo "$1"; cat "$run/said" "$run/log/health.jsonl"; exit 1; }
check() {  # wanted code, wanted names
  local status=0
  mpirun -n 3 "$trireme" doctor --health "$run" >"$run/sick" 2>"$run/said" || status=$?
  [ "$status" = "$1" ] || fail "the check ended with $status instead of $1"
  [ "$(paste -sd ' ' "$run/sick")" = "$2" ] || fail "it names '$(paste -sd ' ' "$run/sick")' instead of '$2'"
}
check 0 ""
[ "$(grep -c '"healthy":true,"link_gb_s":[0-9.e-]*[1-9]' "$run/log/health.jsonl")" = 3 ] || fail "a node or its link is not in the record"
tc qdisc replace dev eth0 root tbf rate 75mbit burst 256k latency 400ms
check 75 host0
grep -q 'host0 is not healthy: link' "$run/said" || fail "the log does not say why"
tc qdisc replace dev eth0 root tbf rate 1gbit burst 1m latency 400ms
rm "$run/log/health.jsonl"
check 0 ""
python3 - "$run/log/health.jsonl" <<'PYTHON'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
with open(sys.argv[1], "w") as out:
    for line in lines:
        if line["node"] == "host1":
            line["link_gb_s"] *= 100
        out.write(json.dumps(line) + "\n")
PYTHON
check 75 host1
