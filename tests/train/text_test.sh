#!/usr/bin/env bash
# text_test.sh TRIREME GOLDEN: trains on rows of text, packed and one to a row, and refuses what does not fit, in one sentence each.
. "${0%/*}/runs.sh"
for i in $(seq 40); do
  echo "{\"instruction\": \"Say $i.\", \"input\": \"\", \"output\": \"$i $i $i\", \"text\": \"line $i of a small text\"}"
done >"$dir/rows.jsonl"
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $dir/rows.jsonl
    type: completion
output_dir: $dir/none
sequence_len: 64
micro_batch_size: 2
max_steps: 30
learning_rate: 0.003
bf16: false
sample_packing: true
placement: zero3
YAML
losses() { sed 's/^{"step": [0-9]*, "loss": *\([-0-9.e+]*\).*/\1/' "$dir/$1/metrics.jsonl"; }

try_train two 2 || fail "training on text failed"
losses two | awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(NR == 30 && last < first / 1.5) }' || fail "the loss did not fall"
try_train one 1 micro_batch_size=4 || fail "training on text failed on one rank"
paste <(losses two) <(losses one) | awk '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > worst) worst = d } END { exit worst > 1e-5 }' || fail "one rank and two differ"
grep -q '40 documents of .* to train on' "$dir/one.log" && grep -q 'rows of 64 tokens, .* % full' "$dir/one.log" || fail "the log does not say what was packed"

try_train custom 1 "datasets=[{path: $dir/rows.jsonl, type: {format: \"Q {instruction} A \", no_input_format: \"Q {instruction} A \"}}]" max_steps=3 sample_packing=false ||
  fail "a prompt format of one's own failed"
grep -q 'of them scored' "$dir/custom.log" || fail "the log does not count what is scored"

for i in $(seq 60); do
  echo "{\"messages\": [{\"role\": \"user\", \"content\": \"Say $((i % 50)).\"}, {\"role\": \"assistant\", \"content\": \"$((i % 50)) it is\"}]}"
done >"$dir/chats.jsonl"
chats="datasets=[{path: $dir/chats.jsonl, type: chat_template, weight: 1.5}, {path: $dir/rows.jsonl, type: alpaca}]"
for ranks in 1 2; do
  try_train "chat$ranks" $ranks "$chats" chat_template=chatml val_set_size=10 eval_steps=4 dataset_exact_deduplication=true max_steps=6 sequence_len=192 micro_batch_size=$((4 / ranks)) ||
    fail "training on chats failed"
done
grep -q '10 duplicates left out' "$dir/chat1.log" && grep -q '10 documents of .* held back' "$dir/chat1.log" || fail "the log does not say what was held back"
evaluations() { sed -n 's/.*"eval_loss": *\([0-9.]*\).*/\1/p' "$dir/$1/metrics.jsonl"; }
[ "$(evaluations chat1 | wc -l)" = 2 ] || fail "there must be an evaluation after 4 steps and one at the end"
paste <(losses chat1; evaluations chat1) <(losses chat2; evaluations chat2) |
  awk '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > worst) worst = d } END { exit NR != 8 || worst > 1e-5 }' || fail "chats: one rank and two differ"

prepared="dataset_prepared_path=$dir/prepared"
"$trireme" prepare "$dir/job.yaml" "$prepared" "$chats" chat_template=chatml sequence_len=192 --json >"$dir/prepare.json" 2>"$dir/prepare.log" || fail "prepare failed"
grep -q '"documents": 60.*"kept_parts": 0' "$dir/prepare.json" || fail "prepare does not count"
"$trireme" prepare "$dir/job.yaml" "$prepared" "$chats" chat_template=chatml sequence_len=192 --json 2>>"$dir/prepare.log" | grep -q '"parts": 1, "kept_parts": 1' ||
  fail "what was prepared is not used again"
try_train stored 2 "$chats" "$prepared" chat_template=chatml val_set_size=10 eval_steps=4 dataset_exact_deduplication=true max_steps=6 sequence_len=192 || fail "training on prepared tokens failed"
cmp <(losses stored; evaluations stored) <(losses chat2; evaluations chat2) || fail "prepared tokens and those of text differ"

refused() {  # run, wanted code, wanted words, overrides…
  local run=$1 code=0 wanted=$2 words=$3
  shift 3
  try_train "$run" 1 "$@" || code=$?
  [ "$code" = "$wanted" ] && grep -q "$words" "$dir/$run.log" || { cat "$dir/$run.log"; fail "$run: code $code"; }
}
refused missing_field 76 'rows.jsonl:1: the field "body" is missing' "datasets=[{path: $dir/rows.jsonl, type: completion, field: body}]"
refused nothing_fits 76 'hold no document of at most 4 tokens' "datasets=[{path: $dir/rows.jsonl, type: alpaca}]" sequence_len=4
refused no_messages 76 'rows.jsonl:1: the field "messages" is missing' "datasets=[{path: $dir/rows.jsonl, type: chat_template}]" chat_template=chatml
refused no_template 78 'has no chat template' "datasets=[{path: $dir/chats.jsonl, type: chat_template}]"
refused no_file 78 'absent.jsonl' "datasets=[{path: $dir/absent.jsonl, type: alpaca}]"
