#!/usr/bin/env bash
# requeue_test.sh TRIREME GOLDEN, inside cluster.sh: submits a job on two nodes, signals it as Slurm does before a time limit, and expects it
# to save, requeue itself, resume and end with the curve of a run without any of that.
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
micro_batch_size: 1
max_steps: 400
optimizer: adamw_torch
learning_rate: 0.0003
bf16: false
placement: zero3
YAML
fail() { echo "$1"; scontrol show job || true; tail -n 20 "$dir"/run/log/*; exit 1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$1/metrics.jsonl"; }

srun -N2 -n4 --ntasks-per-node=2 --mpi=pmix "$trireme" train "$dir/job.yaml" output_dir="$dir/whole" >"$dir/whole.log" 2>&1 || fail "the run under srun failed: $(tail -n 3 "$dir/whole.log")"
job=$("$trireme" submit "$dir/job.yaml" --nodes 2 --ranks-per-node 2)
for _ in $(seq 200); do [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge 20 ] && break; sleep 0.05; done
scancel --signal=USR1 "$job"
for _ in $(seq 600); do
  state=$("$trireme" status "$job")
  [[ $state == *COMPLETED* ]] && break
  [[ $state == *FAILED* || $state == *CANCELLED* ]] && fail "the job ended badly: $state"
  sleep 0.2
done
[[ $state == *COMPLETED* && $state == *"restarted 1 times"* ]] || fail "the job did not come back: $state"
grep -q 'ended with 75' "$dir/run/log/restarts.log" || fail "the first run did not end with 75"
diff <(curve "$dir/whole") <(curve "$dir/run") >"$dir/diff" || { head -n 5 "$dir/diff"; fail "the requeued run has another curve"; }
echo "$state"
