#!/usr/bin/env bash
# tiers_test.sh TRIREME GOLDEN: runs with state on the host or on NVMe have the curve of runs without, letter for letter, on one and two
# ranks, with accumulation, clipping, LoRA and 8-bit state; a killed run leaves nothing that the next one keeps; what cannot fit is refused.
. "${0%/*}/runs.sh"
mounted=
trap '[ -z "$mounted" ] || umount "$mounted"; rm -rf "$dir"' EXIT
reference_job <<YAML
output_dir: $dir/none
micro_batch_size: 1
gradient_accumulation_steps: 2
max_steps: 8
optimizer: adamw_torch
learning_rate: 0.0003
bf16: true
offload:
  nvme_paths: $dir/drive-a,$dir/drive-b
  part_elements: 4096
YAML
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*"grad_norm": *\([-0-9.e+]*\).*/\1 \2 \3/' "$dir/$1/metrics.jsonl"; }
same() { [ "$(curve "$1" | wc -l)" = 8 ] || fail "$1 has no 8 steps"; diff <(curve "$1") <(curve "$2") >/dev/null || fail "$1 and $2 have different curves"; }

for ranks in 1 2; do
  try_train "base-$ranks" "$ranks" placement=zero2 || fail "without tiers, $ranks ranks"
  for placement in zero_offload zero_infinity; do
    try_train "$placement-$ranks" "$ranks" "placement=$placement" || fail "$placement, $ranks ranks"
    same "base-$ranks" "$placement-$ranks"
  done
  grep -q 'beyond the device, on each rank' "$dir/zero_infinity-$ranks.log" || fail "the tiers' memory was not shown"
done
try_train threads 2 placement=zero3 placement.optimizer.tier=nvme offload.nvme_backend=threads || fail "threads as the backend"
same base-2 threads
try_train open 2 placement=zero2 max_grad_norm=0 || fail "without clipping"
try_train eager 2 placement=zero_offload max_grad_norm=0 || fail "updates during backward"
same open eager
try_train lora 2 placement=zero2 adapter=lora lora_target_linear=true || fail "LoRA"
try_train lora-nvme 2 placement=zero_infinity adapter=lora lora_target_linear=true || fail "LoRA on NVMe"
same lora lora-nvme
try_train small 2 placement=zero2 optimizer=adamw_bnb_8bit || fail "8-bit state"
try_train small-nvme 2 placement=zero2 optimizer=adamw_bnb_8bit placement.optimizer.tier=nvme || fail "8-bit state on NVMe"
same small small-nvme
[ -z "$(find "$dir"/drive-* -type f)" ] || fail "a clean end left files on the drives"

try_train resumed 2 placement=zero_infinity max_steps=5 lr_scheduler=constant || fail "the first part"
try_train resumed 2 placement=zero_offload max_steps=8 lr_scheduler=constant || fail "the second part, on another tier"
try_train whole 2 placement=zero2 lr_scheduler=constant || fail "the whole"
same whole resumed

paged="placement=zero2 placement.optimizer.tier=host optimizer=adamw_bnb_8bit lr_scheduler=constant"
try_train budgets 2 $paged placement.optimizer.device_bytes=0 max_steps=3 || fail "8-bit state on the host"
try_train budgets 2 $paged placement.optimizer.device_bytes=300KiB max_steps=6 || fail "resumed with a part on the device"
try_train budgets 2 $paged placement.optimizer.device_bytes=1GiB max_steps=8 || fail "resumed with all on the device"
try_train unpaged 2 placement=zero2 optimizer=adamw_bnb_8bit lr_scheduler=constant || fail "8-bit state, never paged"
same unpaged budgets
try_train other-drive 1 placement=zero2 placement.parameters.tier=nvme || fail "parameters alone on NVMe"
same base-1 other-drive

try_train killed 1 placement=zero_infinity max_steps=100000 & launcher=$!
for _ in $(seq 200); do [ -s "$dir/killed/metrics.jsonl" ] && break; sleep 0.05; done
[ -n "$(find "$dir"/drive-* -type f)" ] || fail "a run with state on NVMe has no files there"
pkill -9 -f "train $dir/job.yaml output_dir=$dir/killed" || fail "there was no rank to kill"
wait "$launcher" || true
[ -n "$(find "$dir"/drive-* -type f)" ] || fail "a killed run removed its files itself"
try_train after 1 placement=zero_infinity || fail "the run after a killed one"
same base-1 after
[ -z "$(find "$dir"/drive-* -type f)" ] || fail "what the killed run left is still there"

status=0; try_train nowhere 1 placement=zero_infinity offload.nvme_paths= || status=$?
[ "$status" = 78 ] && grep -q 'set offload.nvme_paths' "$dir/nowhere.log" || fail "no folder for NVMe: ended with $status"
mkdir "$dir/tight"
if mount -t tmpfs -o size=256k none "$dir/tight" 2>/dev/null; then
  mounted=$dir/tight
  status=0; try_train full 1 placement=zero_infinity "offload.nvme_paths=$dir/tight" || status=$?
  [ "$status" = 78 ] && grep -q 'are free; free some space' "$dir/full.log" || fail "a full drive: ended with $status"
  [ -z "$(ls "$dir/tight")" ] || fail "a refused run left a file"
fi
echo "curves equal on every tier; killed, full and missing drives as promised"
