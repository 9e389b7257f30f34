#!/usr/bin/env bash
# device_hang_test.sh TRIREME GOLDEN PLUGIN STAND_INS: of two ranks that train on GPUs made of host memory one's device hangs: the run ends in time and
# says so.
. "${0%/*}/gpu_runs.sh"
reference_job <<YAML
output_dir: $dir/none
max_steps: 100000
learning_rate: 0.0003
bf16: false
device: cuda
placement: zero3
YAML
run=$dir/hung code=0
GPU_DOUBLE_HANGS=$dir/hangs- gpus "$trireme" launch -n 2 --time-limit 3s --run-folder "$run" -- train "$dir/job.yaml" "output_dir=$run" >"$run.log" 2>&1 & launcher=$!
for _ in $(seq 1200); do [ "$(wc -l 2>/dev/null <"$run/metrics.jsonl" || echo 0)" -ge 3 ] && break; sleep 0.05; done
touch "$dir/hangs-1"
began=$SECONDS
wait $launcher || code=$?
[ $((SECONDS - began)) -le 20 ] || fail "a device hung, and the run ended only after $((SECONDS - began)) s"
[ "$code" = 124 ] || fail "a device hung, and the run ended with $code"
for wanted in '"state":"failed"' '"reason":"hang"'; do
  grep -q "$wanted" "$run/status.json" || { cat "$run/status.json"; fail "status.json lacks $wanted"; }
done
! pgrep -f "trireme train $dir/job.yaml" || fail "processes are left"
echo "a device that hangs ends its run"
