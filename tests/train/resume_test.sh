#!/usr/bin/env bash
# resume_test.sh TRIREME GOLDEN: kills a run again and again and resumes it; the curve must be that of an uninterrupted run, letter for
# letter at the same number of ranks, and within 1e-5 after a change of ranks and placement.
. "${0%/*}/runs.sh"
reference_job <<YAML
output_dir: $dir/none
micro_batch_size: 2
max_steps: 120
optimizer: adamw_torch
learning_rate: 0.0003
bf16: false
save_steps: 7
placement: zero3
YAML

try_train whole 2 || fail "the uninterrupted run failed"
[ "$(curve whole | wc -l)" = 120 ] || fail "the uninterrupted run has no 120 steps"

kills=0
for delay in 0.5 0.7 0.6 0.9 0.8 1.0; do
  try_train killed 2 & launcher=$!
  sleep "$delay"
  victim=$(pgrep -f "train $dir/job.yaml output_dir=$dir/killed" | tail -n 1 || true)
  if [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then kills=$((kills + 1)); fi
  wait "$launcher" || true
done
try_train killed 2 || fail "the killed run could not be finished"
[ "$kills" -ge 3 ] || fail "only $kills kills met a running job"
diff <(curve whole) <(curve killed) >"$dir/diff" || { head -n 5 "$dir/diff"; fail "the killed run has another curve"; }

try_train asked 2 & launcher=$!
for _ in $(seq 100); do [ "$(wc -l 2>/dev/null <"$dir/asked/metrics.jsonl" || echo 0)" -ge 10 ] && break; sleep 0.05; done
pkill -USR1 -f "train $dir/job.yaml output_dir=$dir/asked" || fail "there was no rank to signal"
status=0; wait "$launcher" || status=$?
[ "$status" = 75 ] || fail "a run that was asked to stop ended with $status instead of 75"
try_train asked 1 micro_batch_size=4 placement=ddp || fail "one rank could not go on where two stopped"
paste <(curve whole) <(curve asked) | awk '$1 != $3 { exit 1 } { d = ($2 - $4) / $2; if (d < 0) d = -d; if (d > worst) worst = d } END { print "worst relative difference after resharding", worst; exit worst > 1e-5 || NR != 120 }' ||
  fail "the resharded run has another curve"

printf 'x' | dd of="$dir/killed/checkpoints/$(cat "$dir/killed/checkpoints/latest")/shard-00000.h5" bs=1 seek=5000 conv=notrunc status=none
try_train killed 2 max_steps=125 || fail "a damaged checkpoint stopped the run though an older one is sound"
grep -q 'shard-00000.h5' "$dir/killed.log" || fail "the damaged file was not named"
echo "$kills kills, one stop on request, one change of ranks and placement, one damaged checkpoint"
