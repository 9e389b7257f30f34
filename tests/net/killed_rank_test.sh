#!/usr/bin/env bash
# killed_rank_test.sh TRIREME GOLDEN, inside hosts.sh --first: two hosts of two ranks train over their network; a rank of the second is killed mid-step,
# and one is stopped. The launcher ends with 75 and 124 and names rank and host, the same command goes on, and the curve is that of a run without.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d -p /tmp)  # seen by all hosts, unlike TMPDIR
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; tail -n 8 "$dir"/*.log; exit 1; }
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
sequence_len: 64
max_steps: 120
save_steps: 10
learning_rate: 0.0003
bf16: false
placement: hsdp
YAML
launch() { "$trireme" launch -n 4 --time-limit 5s --run-folder "$dir/$1" -- train "$dir/job.yaml" "output_dir=$dir/$1" >>"$dir/$1.log" 2>&1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$dir/$1/metrics.jsonl"; }
ranks() {  # by their number
  local process
  for process in $(pgrep -x trireme); do
    if tr '\0' '\n' <"/proc/$process/cmdline" 2>/dev/null | grep -qxF "output_dir=$dir/run"; then
      tr '\0' '\n' <"/proc/$process/environ" | sed -n "s/^OMPI_COMM_WORLD_RANK=\(.*\)/\1 $process/p"
    fi
  done
}
disturb() {  # signal, wanted exit code, steps before it
  local launcher status=0 victim=
  launch run & launcher=$!
  until [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge "$3" ]; do
    kill -0 "$launcher" 2>/dev/null || fail "the run ended before it could be disturbed"
    sleep 0.02
  done
  victim=$(ranks | awk '$1 == 3 { print $2 }')
  [ -n "$victim" ] || fail "rank 3 was not found"
  [ "$(readlink "/proc/$victim/ns/uts")" != "$(readlink /proc/self/ns/uts)" ] || fail "rank 3 is not on another host"
  kill "-$1" "$victim"
  wait "$launcher" || status=$?
  [ "$status" = "$2" ] || fail "after SIG$1 the launcher ended with $status instead of $2"
  grep -q '"rank":3' "$dir/run/status.json" && grep -q host1 "$dir/run/status.json" || fail "status.json does not name rank 3 on host1: $(cat "$dir/run/status.json")"
}
launch whole || fail "the undisturbed run failed"
disturb KILL 75 25
disturb STOP 124 50
launch run || fail "it does not go on"
grep -q '"event":"resume"' "$dir/run/events.jsonl" || fail "it did not resume from a checkpoint"
diff <(curve whole) <(curve run) >"$dir/diff" || { head -n 5 "$dir/diff"; fail "the disturbed run has another curve"; }
echo "killed and stopped on another host, resumed twice, the same $(wc -l <"$dir/run/metrics.jsonl") losses"
