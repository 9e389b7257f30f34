#!/usr/bin/env bash
# device_tiers_test.sh TRIREME GOLDEN PLUGIN STAND_INS: runs on GPUs made of host memory that keep state or parameters on the host or on NVMe, or a
# base of 4 bits, that sum gradients over micro-batches, clip, or compute in bf16 and fp16, have the CPU's curve.
. "${0%/*}/gpu_runs.sh"
reference_job <<YAML
output_dir: $dir/none
max_steps: 4
micro_batch_size: 1
train_batch_size: 4
optimizer: adamw_torch
learning_rate: 0.001
lr_scheduler: constant
max_grad_norm: 0.5
bf16: false
offload: {nvme_paths: $dir/drive, part_elements: 4096}
YAML
tried() {  # run, curve to have, relative tolerance, ranks, overrides…
  on_gpus "$1" "$4" "${@:5}"
  same "$2" "$1" 4 "$3"
}

train cpu 1 device=cpu
tried accumulated cpu 1e-5 1
tried unit-major cpu 1e-5 2 placement=zero3 schedule.order=unit_major
tried state-on-host cpu 1e-5 2 placement=zero_offload
tried gradients-on-host cpu 1e-5 2 placement=zero_offload placement.gradients.tier=host
tried parameters-on-host cpu 1e-5 2 placement=zero3 placement.parameters.tier=host
tried on-drives cpu 1e-5 2 placement=zero_infinity
grep -q 'beyond the device, on each rank' "$dir/on-drives.log" || fail "nothing lay beyond the device"
grep -q '+bounce$' "$dir/on-drives.log" || fail "without nvidia-fs parameters did not go through the host"
direct() {  # run, overrides…: parameters come by cuFile, into memory that it knows
  GPU_DOUBLE_NVIDIA_FS=2.26.6 tried "$1" cpu 1e-5 2 "${@:2}"
  grep -q 'on NVMe by cufile$' "$dir/$1.log" || fail "$1: cuFile was not taken"
  [ "$(grep -c '^cuFile: [1-9][0-9]* reads .* 0 of memory that it did not know' "$dir/$1.log")" = 2 ] || fail "$1: not every rank read by cuFile"
}
direct direct placement=zero_infinity offload.part_elements=16384
cmp -s <(curve direct) <(curve on-drives) || fail "the way from the drive changes the curve"
direct refreshed placement=zero2 placement.parameters.tier=nvme placement.optimizer.tier=host offload.nvme_backend=cufile
! GPU_DOUBLE_NVIDIA_FS=2.26.6 gpus try_train insists 1 device=cuda placement=zero2 placement.optimizer.tier=nvme offload.nvme_backend=cufile || fail "cuFile was taken for state of the host's"
grep -q "this state lies in the host's; set offload.nvme_backend=auto" "$dir/insists.log" || fail "no sentence about cuFile and state of the host's"
tried inputs-on-host cpu 1e-5 2 placement=zero3 placement.activations=recomputed placement.activation_tier=host
tried paged cpu 1e-5 1 placement=zero2 placement.optimizer.tier=host placement.optimizer.device_bytes=300KiB
[ -z "$(find "$dir"/drive* -type f)" ] || fail "a clean end left files on the drive"

train open 1 device=cpu max_grad_norm=0
! cmp -s <(curve cpu) <(curve open) || fail "clipping changes nothing: are the curves compared at all?"
tried early open 1e-5 2 placement=zero_offload max_grad_norm=0
train bytes 1 device=cpu optimizer=adamw_bnb_8bit
tried bytes-on-drives bytes 1e-4 2 placement=zero2 placement.optimizer.tier=nvme optimizer=adamw_bnb_8bit

qlora="adapter=qlora lora_target_linear=true lora_r=4 learning_rate=0.003"
# shellcheck disable=SC2086
train qlora 1 device=cpu $qlora
# shellcheck disable=SC2086
tried qlora-split qlora 1e-5 2 placement=qlora_fsdp $qlora
for halves in bf16 fp16; do
  train $halves 1 device=cpu bf16=false $halves=true
  tried $halves-on-gpus $halves 0.01 2 placement=zero_infinity bf16=false $halves=true
done
echo "the CPU's curves on every tier, in every type"
