#!/usr/bin/env bash
# public_configs_test.sh TRIREME GOLDEN FOREIGN: files as people publish them run to their end with nothing changed but paths, over a small model,
# or are refused with the reason.
set -euo pipefail
trireme=$1 golden=$2 foreign=$3
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; tail -n 3 "$dir"/*.log; exit 1; }
for i in $(seq 16); do
  echo "{\"question\": \"Which $i?\", \"context\": \"There are $i.\", \"instruction\": \"Say $i.\", \"input\": \"\", \"output\": \"$i it is\"}" >>"$dir/rows.jsonl"
  echo "{\"messages\": [{\"role\": \"user\", \"content\": \"Say $i.\"}, {\"role\": \"assistant\", \"content\": \"$i it is\"}]}" >>"$dir/chats.jsonl"
done
paths() { echo "base_model=$golden/reference" "datasets[0].path=$dir/$1.jsonl" "output_dir=$dir/$2"; }
train() {  # run, job file, rows, words…
  local run=$1 file=$2 rows=$3
  shift 3
  "$trireme" launch -n 2 --run-folder "$dir/$run" -- train "$file" $(paths "$rows" "$run") "$@" >"$dir/$run.log" 2>&1 || fail "$run failed"
  grep -q '"state": "done"' "$dir/$run/status.json" || fail "$run is not done"
}
steps() { wc -l <"$dir/$1/metrics.jsonl"; }
expect_steps() { [ "$(steps "$1")" = "$2" ] || fail "$1 took $(steps "$1") steps instead of $2"; }
noted() { grep -qF "$2" "$dir/$1.log" || fail "the log of $1 does not say: $2"; }

# An 8B LoRA of a course with its DeepSpeed file: 16 rows over 2 ranks of 4 make 2 steps an epoch, 4 epochs.
train lora "$foreign/axolotl-lora.yaml" rows --deepspeed "$foreign/deepspeed-zero1.json"
expect_steps lora 8
noted lora 'zero_optimization.stage = 1: taken as placement.preset: zero1'
grep -q 'optimizer: adamw_bnb_8bit' "$dir/lora/job.yaml" || fail "the optimizer is another one"
[ -f "$dir/lora/checkpoints/latest" ] || [ -L "$dir/lora/checkpoints/latest" ] || fail "no checkpoint of lora"

# A 70B QLoRA under FSDP with everything on the host: one row a rank.
train qlora "$foreign/axolotl-qlora-fsdp.yaml" rows
expect_steps qlora 8
noted qlora 'lora_r is not given: 8'
noted qlora 'taken as placement.preset: qlora_fsdp'
noted qlora 'placement.frozen.tier: host'

# The course's third case: ZeRO-2 with its optimizer state on the host in fp16, the first rows of a data set and then the next.
cat >"$dir/offload.yaml" <<YAML
base_model: none
datasets:
  - path: none
    type: alpaca
    start: 0
    end: 8
output_dir: none
sequence_len: 256
learning_rate: 0.0002
YAML
train first "$dir/offload.yaml" rows --deepspeed "$foreign/deepspeed-zero2-offload.json"
expect_steps first 1
noted first 'placement.optimizer.tier: host'
train second "$dir/offload.yaml" rows --deepspeed "$foreign/deepspeed-zero2-offload.json" 'datasets[0].start=8' 'datasets[0].end=16'
expect_steps second 1
cmp -s "$dir/first/metrics.jsonl" "$dir/second/metrics.jsonl" && fail "other rows have the same loss"

# Everything of ZeRO-3 on the host, as transformers' documentation offloads it: "auto" is what the job says.
train zero3 "$dir/offload.yaml" rows --deepspeed "$foreign/deepspeed-zero3-offload.json" bf16=true
expect_steps zero3 4
noted zero3 'placement.parameters.tier: host'
noted zero3 'stage3_param_persistence_threshold = auto'

# Chats in 8-bit state with rows held back.
train chat "$foreign/axolotl-chat-lora.yaml" chats
grep -q '"eval_loss"' "$dir/chat/metrics.jsonl" || fail "nothing was evaluated"

# What is not there is refused by its reason, before anything is allocated.
refuse() {  # words, command…
  local words=$1 status=0
  shift
  "$trireme" job check "$@" >"$dir/refused.log" 2>&1 || status=$?
  [ "$status" = 78 ] || fail "job check $* ended with $status"
  grep -qF "$words" "$dir/refused.log" || fail "the refusal does not say: $words"
}
refuse 'line 2: rl is refused: there is no preference tuning yet' "$foreign/axolotl-dpo.yaml"
refuse 'make them agree' "$foreign/axolotl-lora.yaml" --deepspeed "$foreign/deepspeed-zero2-offload.json"
