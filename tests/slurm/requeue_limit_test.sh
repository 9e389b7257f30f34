#!/usr/bin/env bash
# requeue_limit_test.sh TRIREME GOLDEN, inside cluster.sh: a job that may be requeued once is requeued from outside, as a preemption does, goes on,
# is warned of its time limit, and then stops with the reason instead of going on for ever.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/run
sequence_len: 64
max_steps: 100000
save_steps: 20
learning_rate: 0.0003
bf16: false
placement: zero3
slurm:
  nodes: 2
  ranks_per_node: 2
YAML
fail() { echo "$1"; scontrol --oneliner show job || true; tail -n 4 "$dir"/run/log/slurm-*.log || true; exit 1; }
first_line() { state=$("$trireme" status "$job" | head -n 1); }

job=$("$trireme" submit "$dir/job.yaml" --max-requeues 1)
for _ in $(seq 400); do [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge 45 ] && break; sleep 0.05; done
scontrol requeue "$job"
for _ in $(seq 200); do
  first_line
  [[ $state == *"restarted 1 times"* && $state == *RUNNING* ]] && grep -q '"event":"resume"' "$dir/run/events.jsonl" && break
  sleep 0.2
done
grep -q '"event":"resume"' "$dir/run/events.jsonl" || fail "the requeued job did not resume: $state"
scancel --signal=USR1 "$job"
for _ in $(seq 200); do first_line; [[ $state == *FAILED* || $state == *COMPLETED* ]] && break; sleep 0.2; done
[[ $state == *FAILED* && $state == *"restarted 1 times"* ]] || fail "it should have stopped after one requeue: $state"
grep -q 'requeued 1 times and stops here' "$dir"/run/log/slurm-*.log || fail "the log does not say why it stopped"
echo "$state"
