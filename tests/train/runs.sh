# shellcheck shell=bash
# runs.sh: what tests of this folder begin with, as `. "${0%/*}/runs.sh"`. Their words are TRIREME and GOLDEN; what they make lies in $dir,
# which goes when they end.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

fail() {
  echo "$1"
  tail -n 15 "$dir"/*.log || true
  exit 1
}

# A job that trains the reference model on its tokens, and what standard input says besides.
reference_job() {
  cat - >"$dir/job.yaml" <(printf '%s\n' "base_model: ${base:-$golden/reference}" datasets: "  - path: $golden/reference/tokens.npy" "    type: tokens" "sequence_len: 64")
}

# Trains $dir/job.yaml, or what `job` names; `rows`, where a test sets it, are those of a step on all ranks.
try_train() {  # run, ranks, overrides…
  local run=$1 ranks=$2
  shift 2
  "$trireme" launch -n "$ranks" --time-limit 60s --run-folder "$dir/$run" -- train "$dir/${job:-job}.yaml" "output_dir=$dir/$run" \
    ${rows:+"micro_batch_size=$((rows / ranks))"} "$@" >>"$dir/$run.log" 2>&1
}
train() { try_train "$@" || fail "$1 could not be trained on $2 ranks"; }

curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$dir/$1/metrics.jsonl"; }
