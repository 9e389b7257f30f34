#!/usr/bin/env bash
# lora_test.sh TRIREME GOLDEN: an adapter that peft made trains as peft and PyTorch trained it, on any number of ranks under any placement;
# it resumes; what is exported gives the same loss as an adapter and merged into its base.
. "${0%/*}/runs.sh"
reference_job <<YAML
shuffle_merged_datasets: false
output_dir: $dir/none
micro_batch_size: 4
max_steps: 10
learning_rate: 0.002
lr_scheduler: constant
max_grad_norm: 0
bf16: false
adapter: lora
lora_r: 4
lora_alpha: 8
lora_target_linear: true
lora_model_dir: $golden/lora
YAML
grep -v lora_model_dir "$dir/job.yaml" >"$dir/fresh.yaml"
grep -v lora "$dir/job.yaml" >"$dir/whole.yaml"
losses() { sed 's/.*"loss": *\([-0-9.e+]*\).*/\1/' "$dir/$1/metrics.jsonl"; }
expected() { tr -d ' \n' <"$golden/lora/expected.json" | sed 's/.*"loss":\[\([^]]*\)\].*/\1/' | tr ',' '\n'; echo; }
compare() {  # name, two lists of numbers
  paste "$2" "$3" | awk -v name="$1" '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > worst) worst = d }
    END { printf "%s: worst relative difference %.2g over %d steps\n", name, worst, NR; exit !(NR > 0 && worst <= 1e-5) }' || fail "$1"
}
expected >"$dir/expected"
[ "$(wc -l <"$dir/expected")" = 10 ] || fail "expected.json was not understood"

try_train one 1 || fail "one rank failed"
try_train zero3 2 micro_batch_size=2 placement=zero3 || fail "zero3 on two ranks failed"
try_train zero1 3 micro_batch_size=2 placement=zero1 gradient_checkpointing=true || fail "zero1 on three ranks failed"
try_train killed 2 micro_batch_size=2 placement=zero3 max_steps=4 save_steps=4 && try_train killed 1 placement=ddp || fail "going on after 4 steps failed"
for run in one zero3 killed; do compare $run <(losses $run) "$dir/expected"; done
# Three ranks share a batch of four rows with two that are not scored: 6 rows a step are others than peft's, but the first is the same rate.
[ "$(losses zero1 | wc -l)" = 10 ] || fail "three ranks did not finish"

"$trireme" export "$dir/one" --to peft >>"$dir/export.log" 2>&1 || fail "the adapter could not be exported"
"$trireme" export "$dir/one" --to hf --dtype fp32 >>"$dir/export.log" 2>&1 || fail "the merged model could not be exported"
try_train again 1 "lora_model_dir=$dir/one/export-peft" max_steps=1 || fail "our own adapter cannot be read"
job=whole try_train merged 1 "base_model=$dir/one/export-hf" max_steps=1 || fail "the merged model cannot be read"
compare "adapter against merged" <(losses again) <(losses merged)
[ "$(losses again)" != "$(head -n 1 "$dir/expected")" ] || fail "the exported adapter is the one that training began with"

refused() {  # wanted words, overrides…
  local words=$1 code=0
  shift
  try_train refused 1 "$@" || code=$?
  [ "$code" = 78 ] && grep -q "$words" "$dir/refused.log" || { cat "$dir/refused.log"; fail "code $code"; }
}
refused 'has r = 4, lora_alpha = 8' lora_alpha=16
job=fresh refused 'has no linear layer q_projj' lora_target_linear=false 'lora_target_modules=[q_projj]'
refused 'are the target modules the same' lora_target_linear=false 'lora_target_modules=[q_proj]'

# Dropout draws by sample, so it is the same on one rank and on two, recomputed or not.
try_train drop1 1 lora_dropout=0.3 || fail "dropout on one rank failed"
try_train drop2 2 lora_dropout=0.3 micro_batch_size=2 placement=zero3 gradient_checkpointing=true || fail "dropout on two ranks failed"
compare "dropout on one rank and two" <(losses drop1) <(losses drop2)
