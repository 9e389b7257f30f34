#!/usr/bin/env bash
# device_bench_test.sh TRIREME GOLDEN PLUGIN STAND_INS: benchmarks of a job compute where it does: on GPUs made of host memory they say so, use them as
# they must be used, send what is foretold, and what they find of a GPU is planned with; on CPUs they say that.
. "${0%/*}/gpu_runs.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
reference_job <<YAML
output_dir: $dir/none
max_steps: 1
learning_rate: 0.001
max_grad_norm: 0
micro_batch_size: 1
bf16: false
placement: zero3
YAML
bench() {  # name, ranks, words…
  local name=$1 ranks=$2
  shift 2
  gpus mpirun --oversubscribe -n "$ranks" "$trireme" bench "$@" >"$dir/$name" 2>"$dir/$name.log" || fail "bench $* on $ranks ranks"
  well_used "$dir/$name.log"
}
check() { python3 -c "import json, sys; line = json.loads(open('$dir/$1').read().splitlines()[-1]); sys.exit(not ($2))" || { cat "$dir/$1"; fail "not so: $2"; }; }

bench products 1 products "$dir/job.yaml" device=cuda
check products 'line["device"] == "Host memory" and line["products"]["gflops_per_s"] > 0'
bench cpu-products 1 products "$dir/job.yaml" device=cpu
check cpu-products 'line["device"] == "cpu" and line["products"]["gflops_per_s"] > 0'

for words in "zero3" "zero_offload" "zeropp bf16=true"; do
  bench schedule 2 schedule "$dir/job.yaml" --steps 2 --json device=cuda placement=$words
  check schedule 'line["device"] == "Host memory" and line["bytes_inside_node"] == line["foretold_bytes_inside_node"] > 0 and line["host_waits"]["memory"] == 0'
done
bench computation 2 schedule "$dir/job.yaml" device=cuda --steps 2 --json --only computation --set matrix_tflops_fp32=0.001
check computation 'line["bytes_inside_node"] == 0 and line["measured_step_s"] >= 0.9 * line["foretold_step_s"] > 0'

bench machine.json 2 machine "$dir/job.yaml" device=cuda
check machine.json 'line["device"] == "a100-80g" and line["measured_on"] == "Host memory"'
measured='["matrix_tflops_fp32", "memory_gb", "memory_gb_s", "update_gb_s", "norm_gb_s", "host_update_gb_s", "host_link_gb_s", "inside_gb_s", "encode8_g_s", "decode4_g_s", "two_hop_us"]'
check machine.json "all(line.get(name, 0) > 0 for name in $measured)"
check machine.json 'not {"price_per_hour", "across_gb_s", "nvme_gb_s", "cores"} & set(line)'
grep -q 'no published figures of Host memory: what is not measured is that of a100-80g' "$dir/machine.json.log" || fail "nobody said whose figures stand in"
planned() { "$trireme" plan "$dir/job.yaml" --machine "$dir/machine.json" "$@" >"$dir/plan.log" 2>&1; }
planned || fail "a plan does not take what was measured"
grep -q 'on Host memory)' "$dir/plan.log" || fail "the plan is not for what was measured"
status=0; planned --gpu cpu || status=$?
[ "$status" = 78 ] && grep -q 'was measured on a100-80g, and this counts with cpu' "$dir/plan.log" || fail "figures of a GPU for a CPU: ended with $status"
step() { "$trireme" plan "$dir/job.yaml" --machine "$1" --gpu a100-80g placement=zero_offload --json 2>/dev/null | python3 -c 'import json, sys; print(json.load(sys.stdin)["step_s"])'; }
python3 -c "import json; m = json.load(open('$dir/machine.json')); m['host_update_gb_s'] = 1e-6; json.dump(m, open('$dir/slow.json', 'w'))"
python3 -c "import sys; sys.exit(not $(step "$dir/slow.json") > 10 * $(step "$dir/machine.json"))" || fail "a plan does not count with the measured rate of updates"
echo "benchmarks compute where their job does"
