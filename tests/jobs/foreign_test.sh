#!/usr/bin/env bash
# foreign_test.sh TRIREME GOLDEN FOREIGN: files written for Axolotl, DeepSpeed and accelerate train here, each to the curve of the same job
# in trireme's own words; so does fp16 with a loss scale that begins too high.
set -euo pipefail
trireme=$1 golden=$2 foreign=$3
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; grep -h error "$dir"/*.log || true; exit 1; }
for i in $(seq 24); do
  echo "{\"question\": \"Which $i?\", \"context\": \"There are $i.\", \"instruction\": \"Say $i.\", \"input\": \"\", \"output\": \"$i it is\"}"
done >"$dir/rows.jsonl"
losses() { sed 's/.*"loss": *\([-0-9.e+]*\).*/\1/' "$dir/$1/metrics.jsonl"; }
train() {  # run, job file, words…
  local run=$1 file=$2
  shift 2
  "$trireme" launch -n 2 --run-folder "$dir/$run" -- train "$file" "base_model=$golden/reference" "output_dir=$dir/$run" bf16=false "$@" >"$dir/$run.log" 2>&1 ||
    fail "$run failed"
}
same() { diff <(losses "$1") <(losses "$2") >"$dir/diff" || { cat "$dir/diff"; fail "$1 and $2 have other curves"; }; }

sed "s|some/squad|$dir/rows.jsonl|" "$foreign/axolotl-lora.yaml" >"$dir/squad.yaml"
small=(sequence_len=256 micro_batch_size=1 max_steps=3 optimizer=adamw_torch)
train squad "$dir/squad.yaml" --deepspeed "$foreign/deepspeed-zero1.json" "${small[@]}"
train squad_plain "$dir/squad.yaml" placement=zero1 "${small[@]}"
same squad squad_plain
grep -q 'zero_optimization.stage = 1: taken as placement.preset: zero1' "$dir/squad.log" || fail "the log does not say what became of the stage"
grep -q 'preset: zero1  # .*deepspeed-zero1.json: zero_optimization.stage' "$dir/squad/job.yaml" || fail "job.yaml does not say where the preset is from"

cat >"$dir/own.yaml" <<YAML
datasets:
  - path: $dir/rows.jsonl
    type: alpaca
sequence_len: 256
max_steps: 4
learning_rate: 0.003
YAML
train accelerate "$dir/own.yaml" --accelerate "$foreign/accelerate-fsdp.yaml"
train own "$dir/own.yaml" placement=hsdp placement.secondary.span=1 gradient_checkpointing=true
same accelerate own
train batch "$dir/own.yaml" train_batch_size=6 micro_batch_size=2
train batch_plain "$dir/own.yaml" micro_batch_size=3
paste <(losses batch) <(losses batch_plain) | awk '{ d = ($1 - $2) / $1; if (d < 0) d = -d; if (d > 1e-5) exit 1 }' || fail "six rows in a step differ by how they are cut"
train half "$dir/own.yaml" fp16=true max_steps=40 loss_scale.initial_power=20 loss_scale.hysteresis=1
losses half | awk 'NR == 1 { first = $1 } { last = $1 } END { exit !(NR == 40 && last < first / 1.2) }' || fail "training in fp16 did not make the loss fall"
grep -q '"skipped": true' "$dir/half/metrics.jsonl" || fail "no step overflowed at a scale of a million"
