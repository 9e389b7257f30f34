#!/usr/bin/env bash
# qlora_test.sh TRIREME GOLDEN: adapters beside a base of 4 bits: the same losses on one rank and on two whose base is split, in byte states too,
# near those beside the base itself, and an export that says what it loses.
. "${0%/*}/runs.sh"
reference_job <<YAML
micro_batch_size: 2
max_steps: 6
learning_rate: 0.003
adapter: qlora
lora_r: 4
lora_target_linear: true
bf16: false
YAML
losses() { sed 's/.*"loss": \([0-9.]*\).*/\1/' "$dir/$1/metrics.jsonl"; }
near() {  # run, run, relative tolerance
  paste <(losses "$1") <(losses "$2") | awk -v limit="$3" '{ d = ($1 - $2) / $2; if (d < 0) d = -d; if (d > worst) worst = d }
    END { if (NR < 6 || worst > limit) { print "worst difference " worst; exit 1 } }' || fail "$1 and $2 differ by more than $3"
}
train one 1 gradient_accumulation_steps=2
train split 2 placement=qlora_fsdp
train plain 1 gradient_accumulation_steps=2 adapter=lora
train bytes 1 gradient_accumulation_steps=2 optimizer=adamw_bnb_8bit
near one split 1e-5
near one plain 0.03
near one bytes 0.02
# Byte states are saved and read back: two runs of three steps are one of six.
train halves 1 gradient_accumulation_steps=2 optimizer=adamw_bnb_8bit save_steps=3
rm -rf "$dir"/halves/checkpoints/step-*6* "$dir/halves/checkpoints/latest"
train halves 1 gradient_accumulation_steps=2 optimizer=adamw_bnb_8bit save_steps=3
grep -q "goes on after step 3" "$dir/halves.log" || fail "the second run did not go on from step 3"
near bytes halves 1e-7
cmp -s <(losses one) <(losses plain) && fail "4 bits change nothing: is the base quantised at all?"
"$trireme" export "$dir/one" --to peft >"$dir/peft.log" 2>&1 || fail "no export to peft"
"$trireme" export "$dir/one" --to hf >"$dir/hf.log" 2>&1 || fail "no merged export"
grep -q "4 bits .* differ from .* by [0-9.]* %" "$dir/hf.log" || fail "the merge does not say what it loses"
"$trireme" train "$dir/job.yaml" output_dir="$dir/x" adapter=none load_in_4bit=true >"$dir/none.log" 2>&1 && fail "4 bits without an adapter"
grep -q "add adapter: qlora" "$dir/none.log" || fail "no hint towards qlora"
