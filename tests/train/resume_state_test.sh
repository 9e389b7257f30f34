#!/usr/bin/env bash
# resume_state_test.sh TRIREME GOLDEN: what a resumed run goes on with beside weights: optimizer state in bytes, the loss scale, the data cursor;
# at the same ranks letter for letter, at others within 1e-5. And what it says where an adapter was added or taken away in between.
. "${0%/*}/runs.sh"
reference_job <<YAML
output_dir: $dir/none
max_steps: 8
lr_scheduler: constant
learning_rate: 0.0003
bf16: false
YAML
rows=4
same() { [ "$(curve "$1" | wc -l)" = 8 ] && diff <(curve "$1") <(curve "$2") >/dev/null || fail "$1 and $2 have other losses"; }
near() {
  paste <(curve "$1") <(curve "$2") | awk -v limit="$3" '$1 != $3 { exit 1 } { d = ($2 - $4) / $2; if (d < 0) d = -d; if (d > worst) worst = d } END { exit worst > limit || NR != 8 }' ||
    fail "$1 and $2 differ by more than $3"
}

for state in "optimizer=adamw_bnb_8bit" "fp16=true"; do
  name=${state//[^a-z0-9]/-}
  train "whole-$name" 2 placement=zero3 "$state"
  train "same-$name" 2 placement=zero3 "$state" max_steps=3
  train "same-$name" 2 placement=zero3 "$state"
  same "whole-$name" "same-$name"
  train "other-$name" 2 placement=zero3 "$state" max_steps=3
  train "other-$name" 1 placement=ddp "$state" max_steps=5
  train "other-$name" 4 placement=zero2 "$state"
  if [ "$state" = fp16=true ]; then limit=2e-3; else limit=1e-5; fi
  near "whole-$name" "other-$name" "$limit"
done
# A scale that grew before the checkpoint is the one after it.
train scale 1 fp16=true max_steps=4 loss_scale.window=2 loss_scale.initial_power=8
before=$(grep -o '"loss_scale":{[^}]*}' "$dir"/scale/checkpoints/step-00000004-*/manifest.json)
train scale 1 fp16=true max_steps=5 loss_scale.window=2 loss_scale.initial_power=8
after=$(grep -o '"loss_scale":{[^}]*}' "$dir"/scale/checkpoints/step-00000005-*/manifest.json)
[ -n "$before" ] && [ "$before" != "$after" ] || fail "the loss scale's state is not in the manifest, or its window does not go on"

train full 1 max_steps=2
status=0; try_train full 1 max_steps=4 adapter=lora lora_target_linear=true || status=$?
[ "$status" = 78 ] || fail "an added adapter ended with $status instead of 78"
grep -q 'optimizer state cannot be kept, the weights can' "$dir/full.log" || fail "it was not said what of a full run can be kept"
train adapters 1 max_steps=2 adapter=lora lora_target_linear=true
status=0; try_train adapters 1 max_steps=4 || status=$?
[ "$status" = 78 ] || fail "a removed adapter ended with $status instead of 78"
grep -q 'optimizer state cannot be kept, what was learnt can' "$dir/adapters.log" || fail "it was not said what of adapters can be kept"
# And both ways as the sentences say.
"$trireme" export "$dir/full" --to hf --dtype fp32 --output "$dir/as-base" >"$dir/export.log" 2>&1 || fail "the full run could not be exported"
train added 1 "base_model=$dir/as-base" adapter=lora lora_target_linear=true max_steps=2
"$trireme" export "$dir/adapters" --to hf --dtype fp32 --output "$dir/merged" >"$dir/export.log" 2>&1 || fail "the adapters could not be merged"
train removed 1 "base_model=$dir/merged" max_steps=2
train adapters 1 max_steps=4 adapter=lora lora_target_linear=true
echo "states in bytes, loss scale and cursor go on; changed adapters are explained"
