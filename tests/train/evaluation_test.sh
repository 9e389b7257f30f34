#!/usr/bin/env bash
# evaluation_test.sh TRIREME GOLDEN: several named sets with curves of their own, generated answers, the best checkpoint, early stopping,
# decay by group, momentum, TensorBoard's files.
. "${0%/*}/runs.sh"
# The last letter of what is asked tells the first of the answer, so two layers learn it at once.
big=(A B C D E F G H I J) small=(a b c d e f g h i j)
for i in $(seq 60); do echo "{\"instruction\": \"Say ${big[i % 10]}\", \"output\": \"${small[i % 10]} it is\"}"; done >"$dir/rows.jsonl"
head -n 12 "$dir/rows.jsonl" >"$dir/seen.jsonl"
for i in $(seq 10); do echo "{\"instruction\": \"Sing $i!\", \"output\": \"la $i la\"}"; done >"$dir/others.jsonl"
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $dir/rows.jsonl
    type: {format: "{instruction}", no_input_format: "{instruction}"}
test_datasets:
  - path: $dir/seen.jsonl
    type: {format: "{instruction}", no_input_format: "{instruction}"}
  - path: $dir/others.jsonl
    name: songs
    type: {format: "{instruction}", no_input_format: "{instruction}"}
val_set_size: 6
eval_steps: 60
eval_generate_rows: 4
eval_max_new_tokens: 16
sequence_len: 32
micro_batch_size: 4
train_batch_size: 8
max_steps: 240
learning_rate: 0.01
bf16: false
use_tensorboard: true
YAML
try_train two 2 placement=zero3 || fail "two ranks failed"
# Few steps, since roundings grow at this rate.
try_train few 2 placement=zero3 max_steps=12 eval_steps=3 && try_train one 1 max_steps=12 eval_steps=3 || fail "one rank failed"
python3 - "$dir" <<'PYTHON' || fail "the evaluations are not as they should be"
import json, math, sys
def evaluations(run):
    rows = [json.loads(line) for line in open(f"{sys.argv[1]}/{run}/metrics.jsonl")]
    return {row["step"]: row for row in rows if "eval" in row}
two, few, one = map(evaluations, ["two", "few", "one"])
assert list(two) == [60, 120, 180, 240] and list(few) == list(one) == [3, 6, 9, 12], (list(two), list(few))
for step, row in two.items():
    assert list(row["eval"]) == ["held_out", "seen", "songs"], row
    assert row["eval_loss"] == row["eval"]["held_out"]["loss"]
    for name, found in row["eval"].items():
        assert abs(found["perplexity"] / math.exp(found["loss"]) - 1) < 1e-6
        assert 0 <= found["token_accuracy"] <= 1 and 0 <= found["exact_match"] <= 1 and 0 <= found["rouge_l"] <= 1
for step, row in few.items():
    for name, found in row["eval"].items():
        alone = one[step]["eval"][name]
        assert abs(found["loss"] / alone["loss"] - 1) < 1e-5 and found["token_accuracy"] == alone["token_accuracy"], (step, name)
last = two[240]["eval"]
assert last["seen"]["loss"] < 0.2 and last["seen"]["token_accuracy"] > 0.95 and last["seen"]["exact_match"] == 1, last
assert last["seen"]["rouge_l"] == 1 and last["songs"]["exact_match"] == 0 and last["songs"]["loss"] > 1, last
assert last["songs"]["token_accuracy"] < last["seen"]["token_accuracy"]
PYTHON
"$trireme" report "$dir/two" >"$dir/report.log" && grep -q 'songs' "$dir/two/report.html" && grep -q 'Token accuracy' "$dir/two/report.html" || fail "the report does not show the sets"
ls "$dir"/two/tensorboard/events.out.tfevents.* >/dev/null || fail "there is no event file"
grep -qa 'eval/songs/perplexity' "$dir"/two/tensorboard/events.out.tfevents.* || fail "the event file lacks the sets"
"$trireme" eval "$dir/job.yaml" "output_dir=$dir/two" --json 2>"$dir/eval.log" >"$dir/eval.json" || fail "eval failed"
python3 - "$dir" <<'PYTHON' || fail "eval and training differ"
import json, sys
rows = {row["set"]: row for row in map(json.loads, open(f"{sys.argv[1]}/eval.json"))}
last = [json.loads(line) for line in open(f"{sys.argv[1]}/two/metrics.jsonl")][-1]["eval"]
assert set(rows) == set(last)
for name in last:
    assert abs(rows[name]["loss"] / last[name]["loss"] - 1) < 1e-4 and rows[name]["rouge_l"] == last[name]["rouge_l"]
PYTHON

# Songs get worse while the rest is learnt: the best checkpoint is an early one, and patience runs out.
songs="metric_for_best_model=songs/loss eval_steps=3 eval_generate_rows=0 checkpoint.keep_best=true save_total_limit=1 max_steps=400 use_tensorboard=false"
# shellcheck disable=SC2086
try_train early 2 $songs early_stopping_patience=2 || fail "early stopping failed"
python3 - "$dir/early" <<'PYTHON' || fail "early stopping or the best checkpoint is wrong"
import json, os, sys
run = sys.argv[1]
rows = [json.loads(line) for line in open(f"{run}/metrics.jsonl")]
scores = {row["step"]: row["eval"]["songs"]["loss"] for row in rows if "eval" in row}
best = min(scores, key=scores.get)
assert rows[-1]["step"] == best + 6 < 400, (best, rows[-1]["step"])
kept = sorted(int(name.split("-")[1]) for name in os.listdir(f"{run}/checkpoints") if name.startswith("step-"))
assert kept == [best, rows[-1]["step"]], kept
assert "ended early" in open(f"{run}/status.json").read()
PYTHON
"$trireme" export "$dir/early" --best --to hf --output "$dir/best" >"$dir/export.log" 2>&1 || fail "the best one cannot be exported"
best=$(ls "$dir/early/checkpoints" | grep '^step-' | sort | head -n 1)
grep -q "$best is the best of 2 by evaluation: songs/loss" "$dir/export.log" || fail "another checkpoint than the best was exported"
"$trireme" export "$dir/early" --to hf --output "$dir/newest" >"$dir/export.log" 2>&1 || fail "the newest one cannot be exported"
! cmp -s "$dir/best/model.safetensors" "$dir/newest/model.safetensors" || fail "best and newest are the same"
# A run that goes on goes on counting.
# shellcheck disable=SC2086
try_train resumed 2 $songs early_stopping_patience=1 && try_train resumed 2 $songs early_stopping_patience=2 || fail "early stopping with a resume failed"
told() { sed 's/, "tokens_per_s.*//' "$dir/$1/metrics.jsonl"; }
cmp <(told early) <(told resumed) || fail "a resume changes when the run ends"

# So often in each of two epochs.
try_train epochs 1 max_steps=0 num_epochs=2 eval_steps=0 evals_per_epoch=2 saves_per_epoch=1 save_total_limit=9 eval_generate_rows=0 use_tensorboard=false || fail "evals_per_epoch failed"
python3 - "$dir/epochs" <<'PYTHON' || fail "evaluations or saves do not follow epochs"
import json, os, sys
rows = [json.loads(line) for line in open(f"{sys.argv[1]}/metrics.jsonl")]
epoch = len(rows) // 2
half = -(-epoch // 2)
assert [row["step"] for row in rows if "eval" in row] == sorted({*range(half, len(rows) + 1, half), len(rows)}), rows
kept = sorted(int(name.split("-")[1]) for name in os.listdir(f"{sys.argv[1]}/checkpoints") if name.startswith("step-"))
assert kept == [epoch, 2 * epoch], kept
PYTHON

# A decay of its own for each group of parameters: norms stay where they are without one, and shrink with a large one.
ones() { "$trireme" export "$1" --to hf --dtype fp32 >/dev/null 2>&1; python3 - "$1/export-hf/model.safetensors" <<'PYTHON'
import json, struct, sys
data = open(sys.argv[1], "rb").read()
size = struct.unpack("<Q", data[:8])[0]
begin, end = json.loads(data[8:8 + size])["model.norm.weight"]["data_offsets"]
values = struct.unpack(f"<{(end - begin) // 4}f", data[8 + size + begin:8 + size + end])
print(sum(values) / len(values))
PYTHON
}
quick="max_steps=5 val_set_size=0 test_datasets=[] eval_steps=0 eval_generate_rows=0 use_tensorboard=false learning_rate=0.01 weight_decay=5 lr_scheduler=constant"
# shellcheck disable=SC2086
try_train decayed 1 $quick && try_train spared 1 $quick 'weight_decay_groups=[{match: "norm|bias", weight_decay: 0}]' || fail "decay by group failed"
awk -v decayed="$(ones "$dir/decayed")" -v spared="$(ones "$dir/spared")" 'BEGIN { print decayed, spared; exit !(decayed < 0.85 && spared > 0.93) }' || fail "norms decay as they should not"

# Momentum begins with the second update, which the third loss shows.
# shellcheck disable=SC2086
for momentum in 0 0.9; do try_train "sgd$momentum" 1 $quick weight_decay=0 optimizer=sgd "sgd_momentum=$momentum" || fail "sgd failed"; done
cmp -s <(told sgd0 | head -n 2) <(told sgd0.9 | head -n 2) && ! cmp -s <(told sgd0 | sed -n 3p) <(told sgd0.9 | sed -n 3p) || fail "momentum does not act as it should"

refused() {  # words, overrides…
  local words=$1 code=0
  shift
  try_train refused 1 "$@" || code=$?
  [ "$code" = 78 ] && grep -q "$words" "$dir/refused.log" || { cat "$dir/refused.log"; fail "code $code"; }
}
refused 'names the set nothing, but there are held_out, seen, songs' metric_for_best_model=nothing/loss
refused 'two sets to evaluate on are named seen' "test_datasets=[{path: $dir/seen.jsonl}, {path: $dir/others.jsonl, name: seen}]"
refused 'is not a regular expression' 'weight_decay_groups=[{match: "(", weight_decay: 0}]'
refused 'needs eval_generate_rows' metric_for_best_model=rouge_l eval_generate_rows=0
refused 'say the same twice' evals_per_epoch=2
