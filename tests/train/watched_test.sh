#!/usr/bin/env bash
# watched_test.sh TRIREME GOLDEN: of two ranks that train one is killed, or stopped; the run ends in time, status.json names the culprit
# and what it was in, the exit code says what to do, and no process is left.
. "${0%/*}/runs.sh"
trap 'pkill -KILL -f "$dir/job.yaml" || true; rm -rf "$dir"' EXIT
reference_job <<YAML
output_dir: $dir/none
max_steps: 100000
learning_rate: 0.0003
bf16: false
placement: zero3
YAML

try() {  # signal, wanted exit code, wanted reason
  local run=$dir/$1 code=0 launcher victim rank began
  "$trireme" launch -n 2 --time-limit 3s --run-folder "$run" -- train "$dir/job.yaml" "output_dir=$run" >"$run.log" 2>&1 & launcher=$!
  for _ in $(seq 200); do [ "$(wc -l 2>/dev/null <"$run/metrics.jsonl" || echo 0)" -ge 10 ] && break; sleep 0.05; done
  for victim in $(pgrep -f "trireme train $dir/job.yaml output_dir=$run"); do
    rank=$(tr '\0' '\n' <"/proc/$victim/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
    [ "$rank" = 1 ] && break
  done
  [ "$rank" = 1 ] || { echo "rank 1 was not found"; cat "$run.log"; exit 1; }
  began=$SECONDS
  kill -"$1" "$victim"
  wait $launcher || code=$?
  [ $((SECONDS - began)) -le 9 ] || { echo "SIG$1: the run ended only after $((SECONDS - began)) s"; exit 1; }
  [ "$code" = "$2" ] || { echo "SIG$1: exit code $code instead of $2"; cat "$run.log"; exit 1; }
  for wanted in '"state":"failed"' "\"reason\":\"$3\"" '"rank":1' '"communicator":"[a-z]' '"sequence":[1-9]'; do
    grep -q "$wanted" "$run/status.json" || { echo "SIG$1: status.json lacks $wanted:"; cat "$run/status.json"; exit 1; }
  done
  ! pgrep -f "trireme train $dir/job.yaml" || { echo "processes are left"; exit 1; }
}
try KILL 75 rank_died
try STOP 124 stopped
