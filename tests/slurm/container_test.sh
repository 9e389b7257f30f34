#!/usr/bin/env bash
# container_test.sh TRIREME GOLDEN, inside cluster.sh: a job whose ranks run in a container trains on two nodes, saves when Slurm warns it, goes on,
# and has the curve of a run outside. `apptainer` is the stand-in beside this file, unless TRUE_APPTAINER is set.
set -euo pipefail
trireme=$1 golden=$2 here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
unshare --user --map-root-user --mount true 2>/dev/null || { echo "no permission for user namespaces: skipped"; exit 77; }
export OMP_NUM_THREADS=1
[ -n "${TRUE_APPTAINER:-}" ] || export PATH=$here:$PATH
# Not below /tmp, which a container shows without being told.
dir=$(mktemp -d -p /opt trireme-container.XXXXXX)
trap 'rm -rf "$dir"' EXIT
export APPTAINER_LOG=/tmp/${dir##*/}.log
trap 'rm -rf "$dir" "$APPTAINER_LOG"' EXIT
fail() { echo "$1"; scontrol show job || true; tail -n 20 "$dir"/run/log/* "$dir/whole.log" || true; exit 1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$1/metrics.jsonl"; }

mkdir -p "$dir/image" "$dir/scratch" "$dir/data" "$dir/unseen"
echo "a small image" >"$dir/image/image-name"
for folder in usr etc; do mkdir "$dir/image/$folder"; done
for link in bin sbin lib lib64; do if [ -L /$link ]; then cp -a /$link "$dir/image/"; elif [ -d /$link ]; then mkdir "$dir/image/$link"; fi; done
cp -r "$golden/reference" "$dir/data/"
cat >"$dir/job.yaml" <<YAML
base_model: $dir/data/reference
datasets:
  - path: $dir/data/reference/tokens.npy
    type: tokens
output_dir: $dir/run
sequence_len: 64
max_steps: 120
save_steps: 20
learning_rate: 0.0003
bf16: false
placement: zero3
slurm:
  nodes: 2
  ranks_per_node: 2
  requeue: false
  container: $dir/image
  scratch: $dir/scratch
YAML
cd /
ends_with() {
  for _ in $(seq 600); do
    state=$("$trireme" status "$job")
    [[ $state == *COMPLETED* || $state == *FAILED* || $state == *CANCELLED* ]] && break
    sleep 0.1
  done
  tail -n 1 "$dir/run/log/restarts.log" | grep -q "ended with $1\$" || fail "the job did not end with $1: $state"
}
# The container hides what it was not told of.
apptainer exec --bind "$dir/data" "$dir/image" cat /image-name >"$dir/said" || fail "nothing runs in a container here"
! apptainer exec --bind "$dir/data" "$dir/image" ls "$dir/unseen" 2>/dev/null || fail "the container shows what it was not told of"

"$trireme" submit "$dir/job.yaml" --dry-run >"$dir/batch"
grep -q "^start() { srun .* apptainer exec --bind $dir/run --bind $dir/scratch --bind $dir/data/reference " "$dir/batch" || fail "the batch file: $(grep apptainer "$dir/batch")"
! "$trireme" submit "$dir/job.yaml" output_dir="$dir/a,b" --dry-run >"$dir/out" 2>&1 && grep -q 'comma or colon' "$dir/out" || fail "a path that --bind cannot carry was taken"

job=$("$trireme" submit "$dir/job.yaml")
for _ in $(seq 300); do [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge 20 ] && break; sleep 0.05; done
scancel --signal=USR1 "$job"
ends_with 75
first=$(wc -l <"$dir/run/metrics.jsonl")
job=$("$trireme" submit "$dir/job.yaml")
ends_with 0
[ "$first" -lt 120 ] && grep -q '"event":"resume"' "$dir/run/events.jsonl" || fail "it did not go on after $first steps"
[ "$(grep -c "^$dir/image .*trireme train " "$APPTAINER_LOG")" = 8 ] || fail "ranks outside the container: $(cat "$APPTAINER_LOG")"
srun -N2 -n4 --ntasks-per-node=2 --mpi=pmix "$trireme" train "$dir/job.yaml" output_dir="$dir/whole" >"$dir/whole.log" 2>&1 || fail "the run outside failed"
diff <(curve "$dir/whole") <(curve "$dir/run") >"$dir/diff" || { head -n 5 "$dir/diff"; fail "the run in the container has another curve"; }
echo "4 ranks in containers on 2 nodes, stopped after $first of 120 steps and resumed: the curve of a run outside"
