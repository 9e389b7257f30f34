#!/usr/bin/env bash
# device_test.sh TRIREME GOLDEN PLUGIN STAND_INS: the whole program on GPUs made of host memory. Runs under several placements and on one and
# two ranks have the CPU's curve, whole model and adapter; checkpoints go from GPUs to CPUs and back; evaluation and generation say what they
# say on CPUs; where no GPU can be had, `cuda` is refused and `auto` goes on without.
. "${0%/*}/gpu_runs.sh"
reference_job <<YAML
output_dir: $dir/none
max_steps: 10
optimizer: adamw_torch
learning_rate: 0.001
lr_scheduler: constant
weight_decay: 0.01
bf16: false
YAML
rows=4

lora="adapter=lora lora_target_linear=true lora_r=4 lora_alpha=8"
for kind in full lora; do
  words=; [ $kind = full ] || words=$lora
  train "$kind" 1 $words device=cpu
  for placement in ddp zero3; do
    for ranks in 1 2; do
      on_gpus "$kind-$placement-$ranks" $ranks $words "placement=$placement"
      same "$kind" "$kind-$placement-$ranks"
    done
  done
done

python3 -c "import json, sys; w = json.load(open('$dir/full-zero3-2/lanes.json'))['host_waits']; sys.exit(not (w['streams'] > 0 == w['memory']))" ||
  fail "the recorded step does not tell how often the host waited, or took memory"
on_gpus there 2 placement=zero3 max_steps=5
train there 1 device=cpu
same full there
train back 1 device=cpu max_steps=5
on_gpus back 2 placement=zero3
same full back

judged() { "$trireme" eval "$dir/job.yaml" "output_dir=$dir/there" --json "$@" 2>>"$dir/eval.log" | tr -d '{},' | awk '{ for (i = 1; i < NF; ++i) if ($i == "\"loss\":") print $(i + 1) }'; }
paste <(judged device=cpu) <(gpus judged device=cuda) | awk '{ d = ($1 - $2) / $1; if (d < 0) d = -d; exit !(NF == 2 && d <= 1e-5) }' ||
  fail "evaluation says another loss on GPUs"

told() { "$trireme" generate "$dir/job.yaml" "output_dir=$dir/there" --prompt "The sea was" --max-new-tokens 16 --no-end "$@" 2>>"$dir/generate.log"; }
told device=cpu >"$dir/cpu.txt" && gpus told device=cuda >"$dir/gpu.txt" && cmp -s "$dir/cpu.txt" "$dir/gpu.txt" && [ "$(wc -c <"$dir/gpu.txt")" -gt 16 ] ||
  fail "another text on GPUs"

plan_here() { gpus env GPU_DOUBLE_NAME="$1" "$trireme" plan "$dir/job.yaml" "${@:2}" >"$dir/plan.log" 2>&1 || fail "not planned here"; }
plan_here 'NVIDIA H100 80GB HBM3'
grep -q "planned for this machine's NVIDIA H100 80GB HBM3 (h100-80g)" "$dir/plan.log" && grep -q 'GiB on h100-80g)' "$dir/plan.log" || fail "the plan does not ask the GPU that is here"
plan_here 'Another GPU'
grep -q "no published figures of this machine's Another GPU: planned for the CPU" "$dir/plan.log" && grep -q 'GiB on cpu)' "$dir/plan.log" || fail "a GPU without figures is planned with"
for words in device=cpu '--gpu cpu' '--gpu a100-80g'; do
  # shellcheck disable=SC2086
  plan_here 'NVIDIA H100 80GB HBM3' $words
  ! grep -q "this machine's" "$dir/plan.log" || fail "the GPU that is here is asked with $words"
done

status=0; try_train refused 2 device=cuda || status=$?
[ "$status" = 78 ] && grep -q 'device: cuda: rank 0 on .*: a GPU is asked for but this machine has no GPU driver' "$dir/refused.log" ||
  fail "cuda without a driver: ended with $status"
TRIREME_CUDA_PLUGIN=$dir/none.so train without 1 device=auto tf32=true max_steps=1
! grep -q 'there are GPUs' "$dir/without.log" || fail "GPUs were seen where there are none"
grep -q 'tf32: true changes nothing here' "$dir/without.log" || fail "nobody said that tf32 changes nothing on CPUs"
gpus train taken 1 max_steps=1
grep -q 'computes on Host memory' "$dir/taken.log" || fail "auto did not take the GPU"
status=0; gpus try_train crowded 9 device=cuda micro_batch_size=1 max_steps=1 || status=$?
[ "$status" = 78 ] && grep -q 'would have to share 8 GPUs' "$dir/crowded.log" || fail "nine ranks on eight GPUs: ended with $status"
echo "the CPU's curves on GPUs made of host memory, there and back"
