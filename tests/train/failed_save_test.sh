#!/usr/bin/env bash
# failed_save_test.sh TRIREME GOLDEN: saves fail while the run goes on, then succeed; and a second job on the run folder is refused.
. "${0%/*}/runs.sh"
run=$dir/run
mkdir "$run"
ln -s "$dir/disk/that-is-away" "$run/checkpoints"
reference_job <<YAML
output_dir: $run
micro_batch_size: 2
max_steps: 1000000
learning_rate: 0.0003
bf16: false
save_steps: 50
placement: zero3
YAML
train() { "$trireme" launch -n "$1" --time-limit 60s --run-folder "$2" -- train "$dir/job.yaml" "${@:3}"; }
fact() { sed 's/.*"'"$1"'": *\([^,}]*\).*/\1/' "$run/status.json"; }

train 2 "$run" >"$dir/run.log" 2>&1 & launcher=$!
for _ in $(seq 400); do [ "$(wc -l 2>/dev/null <"$run/metrics.jsonl" || echo 0)" -ge 60 ] && break; sleep 0.05; done
status=0; train 1 "$dir/second" micro_batch_size=4 >"$dir/second.log" 2>&1 || status=$?
[ "$status" = 78 ] || fail "a second job on the folder ended with $status instead of 78"
grep -q 'this run folder is in use by process' "$dir/second.log" || fail "the second job does not say who holds the folder"
mkdir -p "$dir/disk/that-is-away"
for _ in $(seq 400); do [ "$(fact checkpoint_step 2>/dev/null || echo null)" != null ] && break; sleep 0.05; done
pkill -USR1 -f "train $dir/job.yaml" || fail "there was no rank to signal"
status=0; wait "$launcher" || status=$?
[ "$status" = 75 ] || fail "a run told to stop after failed saves ended with $status instead of 75"
grep -q '"state": "stopped"' "$run/status.json" || fail "the run's own last word was not kept"
[ "$(fact checkpoint_failures)" -ge 1 ] || fail "the failed saves were not counted"
[ "$(fact checkpoint_step)" = "$(wc -l <"$run/metrics.jsonl")" ] || fail "the last checkpoint is not that of the last step"
grep -q 'the checkpoint of step 50 was not saved' "$dir/run.log" || fail "the failed save was not reported"

rm -rf "$run" "$dir/disk"; mkdir "$run"; ln -s "$dir/disk/that-is-away" "$run/checkpoints"
status=0; train 2 "$run" max_steps=7 >"$dir/last.log" 2>&1 || status=$?
[ "$status" = 75 ] || fail "a run whose last save failed ended with $status instead of 75"
echo "failed saves were reported, counted and survived; the second job was refused"
