#!/usr/bin/env bash
# watched_phases_test.sh TRIREME GOLDEN: the second of two ranks, whose mount namespace is another, cannot read the data, or waits for them for ever: both
# end with the code that says what to do, and status.json names that rank and its reason.
set -euo pipefail
trireme=$1 golden=$2
unshare -m true 2>/dev/null || { echo "no permission for mount namespaces: skipped"; exit 77; }
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/data" "$dir/other" "$dir/stuck"
mkfifo "$dir/stuck/rows.jsonl"
for i in $(seq 24); do echo "{\"instruction\": \"Say $i.\", \"input\": \"\", \"output\": \"$i it is\"}"; done >"$dir/data/rows.jsonl"
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $dir/data/rows.jsonl
    type: alpaca
output_dir: $dir/none
sequence_len: 256
max_steps: 2
learning_rate: 0.0003
bf16: false
hang_time_limit: 1
YAML
fail() { echo "$1"; cat "$dir/log" "$run/status.json" || true; exit 1; }
try() {  # run, what hides the second rank's data, wanted code, wanted words of status.json…
  run=$dir/$1
  local instead=$2 wanted=$3 code=0 began=$SECONDS words
  shift 3
  local job=("$dir/job.yaml" "output_dir=$run" "dataset_prepared_path=$dir/prepared")
  timeout 200 mpirun --bind-to none -n 1 "$trireme" train "${job[@]}" : \
    -n 1 unshare -m sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$instead" "$dir/data" "$trireme" train "${job[@]}" >"$dir/log" 2>&1 || code=$?
  [ "$code" = "$wanted" ] || fail "${run##*/}: code $code instead of $wanted"
  [ $((SECONDS - began)) -le 20 ] || fail "${run##*/}: it took $((SECONDS - began)) s"
  for words in '"state":"failed"' '"rank":1' "$@"; do grep -q "$words" "$run/status.json" || fail "${run##*/}: status.json lacks $words"; done
}
try unread "$dir/other" 78 'rows.jsonl'
try stuck "$dir/stuck" 124 'prepare'
