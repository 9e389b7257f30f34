#!/usr/bin/env bash
# threads_test.sh TRIREME GOLDEN: with several threads training waits briefly and not by spinning, with one it is not started twice, and what
# the environment says goes first; the losses are those of one thread.
set -euo pipefail
trireme=$1 golden=$2
unset GOMP_SPINCOUNT OMP_WAIT_POLICY
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; tail -n 5 "$dir"/*.log; exit 1; }
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/none
sequence_len: 64
max_steps: 3
learning_rate: 0.001
bf16: false
YAML
train() {  # run, environment…
  local run=$1
  shift
  env OMP_DISPLAY_ENV=VERBOSE "$@" "$trireme" train "$dir/job.yaml" "output_dir=$dir/$run" >"$dir/$run.log" 2>&1 || fail "$run failed"
}
spins() { grep -o "GOMP_SPINCOUNT = '[^']*'" "$dir/$1.log" | tail -n 1; }
starts() { grep -c "GOMP_SPINCOUNT" "$dir/$1.log"; }
train one OMP_NUM_THREADS=1
train two OMP_NUM_THREADS=2
train told OMP_NUM_THREADS=2 GOMP_SPINCOUNT=77
[ "$(starts one)" = 1 ] || fail "one thread needs no second start"
[ "$(spins two)" = "GOMP_SPINCOUNT = '2000'" ] || fail "two threads wait with $(spins two)"
[ "$(spins told)" = "GOMP_SPINCOUNT = '77'" ] || fail "what the user said was changed to $(spins told)"
losses() { grep -o '"loss": [0-9.]*' "$dir/$1/metrics.jsonl" | cut -c1-15; }
[ "$(losses one)" = "$(losses two)" ] || fail "two threads give other losses"
