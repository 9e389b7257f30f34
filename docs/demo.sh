#!/usr/bin/env bash
# demo.sh TRIREME: what the program does, on this machine, in about half a minute.
set -euo pipefail
trireme=$(readlink -f "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${TRIREME_DEMO_DIR:-build/demo}
rm -rf "$out"
mkdir -p "$out"
title() { printf '\n\033[1m%s\033[0m\n' "$*"; }

title "Two ranks find where they run (trireme doctor)"
"$trireme" launch -n 2 -- doctor

title "They move data, beside the MPI library and the memory's own limit (trireme bench comm)"
"$trireme" launch -n 2 -- bench comm --collective all_gather,reduce_scatter,all_reduce --backend shm,openmpi -b 1K -e 16M -f 128

title "They train: parameters, gradients and optimizer state cut over both (trireme train, placement zero3)"
recipe=jobs/recipes/reference-tiny-llama.yaml
"$trireme" launch -n 2 --run-folder "$out/run" -- train "$recipe" "output_dir=$out/run" placement=zero3 micro_batch_size=2 max_steps=10 lr_scheduler=constant

title "Four ranks under another placement go on from their checkpoint (ddp)"
"$trireme" launch -n 4 --run-folder "$out/run" -- train "$recipe" "output_dir=$out/run" placement=ddp micro_batch_size=1 max_steps=20 lr_scheduler=constant

title "PyTorch took the same twenty steps"
awk -v recorded=tests/golden/reference/reference.json '
  BEGIN { while ((getline line < recorded) > 0) { if (line ~ /"loss": *\[/) inside = 1; else if (inside && line ~ /\]/) inside = 0; else if (inside) { gsub(/[ ,]/, "", line); theirs[++n] = line } } }
  { match($0, /"loss": *[-0-9.e+]+/); ours = substr($0, RSTART, RLENGTH); sub(/.*: */, "", ours)
    d = (ours - theirs[NR]) / theirs[NR]; if (d < 0) d = -d; if (d > worst) worst = d
    if (NR == 1 || NR % 5 == 0) printf "  step %2d   trireme %.6f   PyTorch %.6f\n", NR, ours, theirs[NR] }
  END { if (NR != n || n == 0) { print "the curves have different lengths"; exit 1 } printf "  worst relative difference %.1e over %d steps\n", worst, n; exit worst > 1e-5 }' "$out/run/metrics.jsonl"
