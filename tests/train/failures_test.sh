#!/usr/bin/env bash
# failures_test.sh TRIREME GOLDEN: what becomes of numbers that are not finite: fp16's scale falls at overflows and training goes on, and the
# policies of on_non_finite hold for weights of which one is spoiled.
. "${0%/*}/runs.sh"
reference_job <<YAML
shuffle_merged_datasets: false
micro_batch_size: 2
max_steps: 12
learning_rate: 0.001
lr_scheduler: constant
max_grad_norm: 0
bf16: false
placement: zero3
YAML
field() { sed -n "s/.*\"$2\": *\([-0-9.a-z+]*\).*/\1/p" "$dir/$1/metrics.jsonl" | paste -sd ' '; }

# The scale of the first steps is far too large: two overflows use up the hysteresis, then each halves it.
try_train half 2 fp16=true loss_scale.initial_power=30 loss_scale.hysteresis=3 loss_scale.window=4 max_steps=30 || fail "fp16 failed"
read -ra scales <<<"$(field half loss_scale)"
[ "${scales[0]}" = 1073741824 ] && [ "${scales[1]}" = 1073741824 ] && [ "${scales[2]}" = 1073741824 ] && [ "${scales[3]}" = 536870912 ] ||
  fail "hysteresis: ${scales[*]}"
skipped=$(grep -c '"skipped": true' "$dir/half/metrics.jsonl")
[ "$skipped" -ge 4 ] && [ "$skipped" -lt 26 ] || fail "$skipped steps were skipped"
awk -v scales="${scales[*]}" 'BEGIN { n = split(scales, s, " "); for (i = 2; i <= n; ++i) { if (s[i] > s[i-1]) ++up; if (s[i] < s[i-1]) ++down }; exit !(down > 1 && up > 0) }' ||
  fail "the scale must fall and then try to rise: ${scales[*]}"
# Steps that were not skipped are those of fp32, as near as fp16 can be.
try_train whole 2 max_steps=30 || fail "fp32 failed"
awk -v skipped="$skipped" 'FNR == 1 { ++file } { match($0, /"loss": *[-0-9.e+]+/); loss = substr($0, RSTART, RLENGTH); sub(/.*: */, "", loss) }
  file == 1 { whole[FNR] = loss } file == 2 { half[FNR] = loss }
  END { d = half[1] / whole[1] - 1; if (d < 0) d = -d; e = half[30] / whole[30 - skipped] - 1; if (e < 0) e = -e; exit !(d < 2e-3 && e < 0.2 && half[30] < half[1]) }' \
  "$dir/whole/metrics.jsonl" "$dir/half/metrics.jsonl" || fail "fp16 is far from fp32"
code=0
try_train least 2 fp16=true loss_scale.initial_power=30 loss_scale.minimum=536870912 loss_scale.hysteresis=1 || code=$?
[ "$code" = 76 ] && grep -q 'overflow at the least loss scale' "$dir/least.log" || fail "the least scale: code $code"

# One weight of the second block is no number.
cp -r "$golden/reference" "$dir/spoiled"
python3 - "$dir/spoiled/model.safetensors" <<'PYTHON'
import json, struct, sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
size = struct.unpack("<Q", data[:8])[0]
tensor = json.loads(data[8:8 + size])["model.layers.1.mlp.up_proj.weight"]
at = 8 + size + tensor["data_offsets"][0]
data[at:at + 2] = b"\xc0\x7f"  # NaN in bf16
open(path, "wb").write(data)
PYTHON
for policy in stop skip; do
  code=0
  try_train $policy 2 "base_model=$dir/spoiled" on_non_finite=$policy non_finite_limit=4 || code=$?
  [ "$code" = 76 ] || fail "$policy: code $code"
  grep -q 'it began on rank 0 with its output of layers.1 in micro-batch 1, and on 1 more ranks' "$dir/$policy.log" || fail "$policy does not say where"
done
grep -q '4 such steps in a row end the run' "$dir/skip.log" || fail "skip must give up after 4"
[ "$(grep -c '"event":"not finite"' "$dir/skip/events.jsonl")" = 3 ] || fail "the events do not tell"

# Two runs of the same job are equal to the bit.
for run in a b; do try_train $run 2 deterministic=true adapter=lora lora_dropout=0.1 lora_target_linear=true max_steps=6 || fail "deterministic failed"; done
cmp <(sed 's/"tokens_per_s.*"learning_rate/"learning_rate/; s/, "time.*/}/' "$dir/a/metrics.jsonl") <(sed 's/"tokens_per_s.*"learning_rate/"learning_rate/; s/, "time.*/}/' "$dir/b/metrics.jsonl") || fail "two runs differ"
for run in a b; do "$trireme" export "$dir/$run" --to peft >>"$dir/export.log" 2>&1; done
cmp "$dir/a/export-peft/adapter_model.safetensors" "$dir/b/export-peft/adapter_model.safetensors" || fail "two adapters differ"
