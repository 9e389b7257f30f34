#!/usr/bin/env bash
# recipe_test.sh TRIREME ROOT [REFERENCE]: the recipe gives each of the 20 losses that PyTorch recorded, within 1e-5; base_model= points it at
# another reference of the same kind.
set -euo pipefail
trireme=$1 root=$2 reference=${3:-}
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
compare() {  # run, record
  awk -v recorded="$2" '
    BEGIN { while ((getline line < recorded) > 0) { if (line ~ /"loss": *\[/) inside = 1; else if (inside && line ~ /\]/) inside = 0; else if (inside) { gsub(/[ ,]/, "", line); theirs[++n] = line } } }
    { match($0, /"loss": *[-0-9.e+]+/); ours = substr($0, RSTART, RLENGTH); sub(/.*: */, "", ours)
      d = (ours - theirs[NR]) / theirs[NR]; if (d < 0) d = -d; if (d > worst) worst = d }
    END { printf "%d losses, worst relative difference %.2g\n", NR, worst; exit !(NR == 20 && n == 20 && worst <= 1e-5) }' "$dir/$1/metrics.jsonl"
}
cd "$root"
for ranks in 1 2; do
  "$trireme" launch -n $ranks -- train jobs/recipes/reference-tiny-llama.yaml "output_dir=$dir/own$ranks" micro_batch_size=$((4 / ranks)) >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
  compare own$ranks tests/golden/reference/reference.json
done
# What stands beside the weights is that of the model that is named.
cp -r tests/golden/reference "$dir/elsewhere"
"$trireme" train jobs/recipes/reference-tiny-llama.yaml "output_dir=$dir/moved" "base_model=$dir/elsewhere" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
compare moved tests/golden/reference/reference.json
[ -n "$reference" ] || exit 0
"$trireme" train jobs/recipes/reference-tiny-llama.yaml "output_dir=$dir/other" "base_model=$reference" >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
compare other "$reference/reference.json"
