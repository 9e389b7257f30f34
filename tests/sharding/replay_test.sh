#!/usr/bin/env bash
# replay_test.sh TRIREME SHAPE: `bench schedule` on 2 ranks sends the bytes that are foretold, and runs the collectives, the computation or the tiers
# of a job alone.
set -euo pipefail
trireme=$1 shape=$2
export OMP_NUM_THREADS=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job.yaml" <<YAML
base_model: $shape
datasets: [{path: none, type: tokens}]
output_dir: $dir/run
sequence_len: 512
learning_rate: 0.0001
max_steps: 1
max_grad_norm: 0
bf16: auto
offload: {nvme_paths: $dir/drive, part_elements: 65536, pin: false}
YAML
precision=(bf16=true)
replay() {  # placement, words…
  local placement=$1
  shift
  mpirun --oversubscribe -n 2 "$trireme" bench schedule "$dir/job.yaml" "placement=$placement" "${precision[@]}" --scale 4096 --steps 2 --json "$@" >"$dir/said" 2>"$dir/errors" ||
    { cat "$dir/errors"; exit 1; }
}
check() { python3 -c "import json, sys; line = json.loads(open('$dir/said').read().splitlines()[-1]); sys.exit(not ($1))" || { echo "not so: $1"; cat "$dir/said"; exit 1; }; }

for placement in zero3 zeropp ddp; do
  replay "$placement"
  check 'line["bytes_inside_node"] == line["foretold_bytes_inside_node"] > 0 and line["bytes_across_nodes"] == 0'
done

sent() { python3 -c "import json; print(json.loads(open('$dir/said').read().splitlines()[-1])['bytes_inside_node'])"; }
bytes_of_zero3() {  # precision…
  precision=("$@")
  replay zero3
  sent
}
halves=$(bytes_of_zero3 bf16=true) singles=$(bytes_of_zero3 bf16=false)
grep -q -w avx512_bf16 /proc/cpuinfo && automatic=$halves || automatic=$singles
[ "$halves" -lt "$singles" ] || { echo "bf16 sends $halves bytes, fp32 $singles"; exit 1; }
[ "$(bytes_of_zero3 bf16=false fp16=true)" = "$halves" ] || { echo "fp16 does not send the $halves bytes of bf16"; exit 1; }
[ "$(bytes_of_zero3 bf16=auto)" = "$automatic" ] || { echo "bf16: auto does not send $automatic bytes"; exit 1; }
replay zero3 --only computation
check 'line["bytes_inside_node"] == 0 and line["measured_step_s"] >= 0.9 * line["foretold_step_s"] > 0'
replay zero_infinity --only tiers
check 'line["bytes_inside_node"] == 0 and line["measured_step_s"] > 0 and line["foretold_step_s"] > 0'
replay zero3 placement.activations=recomputed placement.activation_tier=host schedule.input_depth=0 --trace "$dir/trace.json"
for op in park recall; do
  grep -q "\"$op " "$dir/trace.json" || { echo "the replay's trace has no $op"; exit 1; }
done
status=0
"$trireme" bench schedule "$dir/job.yaml" --only nothing >/dev/null 2>&1 || status=$?
[ "$status" = 64 ] || { echo "--only nothing ended with $status"; exit 1; }
