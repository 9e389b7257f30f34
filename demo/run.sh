#!/usr/bin/env bash
# run.sh TRIREME: what the program does, on this machine, in minutes: from the topology of two ranks to a small Llama that was
# trained from nothing and then taught to follow instructions. TRIREME_DEMO_STEPS=20 shortens the training for tests.
set -euo pipefail
trireme=$(readlink -f "$1")
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${TRIREME_DEMO_DIR:-build/demo}
steps=${TRIREME_DEMO_STEPS:-300}
tuning_steps=$(((steps * 2 + 2) / 3))
rm -rf "$out"
mkdir -p "$out"
title() { printf '\n\033[1m%s\033[0m\n' "$*"; }
curve() {  # run folder: the loss at six places of the run
  awk '{ match($0, /"loss": *[-0-9.e+]+/); loss[NR] = substr($0, RSTART, RLENGTH); sub(/.*: */, "", loss[NR]) }
    END { for (i = 0; i < 6; ++i) { at = 1 + int((NR - 1) * i / 5); bar = ""; for (k = 0; k < 8 * loss[at]; ++k) bar = bar "█"
            printf "  step %4d  loss %.3f  %s\n", at, loss[at], bar } }' "$1/metrics.jsonl"
}
tasks=("Tell a story about a turtle and a whistle." "Write about a bear who loses a drum.")
pretrain=(demo/pretrain.yaml "output_dir=$out/stories" "max_steps=$steps")
instruct=(demo/instruct.yaml "base_model=$out/stories/export-hf" "output_dir=$out/instructions" "max_steps=$tuning_steps")
answers() {  # words of generate…
  local task
  for task in "${tasks[@]}"; do
    printf '  > %s\n' "$task"
    "$trireme" generate "${instruct[@]}" --instruction "$task" --max-new-tokens 150 "$@" 2>>"$out/generate.log" | fold -s -w 110 | sed 's/^/    /'
  done
}

title "1. Two ranks find where they run (trireme doctor)"
"$trireme" launch -n 2 -- doctor

title "2. They move data, beside the MPI library and the memory's own limit (trireme bench comm)"
"$trireme" launch -n 2 -- bench comm --collective all_gather,all_reduce --backend shm,openmpi -b 64K -e 16M -f 256

title "3. Twenty steps that PyTorch took too (placement zero3: parameters, gradients and optimizer state cut over both ranks)"
"$trireme" launch -n 2 --run-folder "$out/reference" -- train jobs/recipes/reference-tiny-llama.yaml "output_dir=$out/reference" placement=zero3 micro_batch_size=2 logging_steps=20
awk -v recorded=tests/golden/reference/reference.json '
  BEGIN { while ((getline line < recorded) > 0) { if (line ~ /"loss": *\[/) inside = 1; else if (inside && line ~ /\]/) inside = 0; else if (inside) { gsub(/[ ,]/, "", line); theirs[++n] = line } } }
  { match($0, /"loss": *[-0-9.e+]+/); ours = substr($0, RSTART, RLENGTH); sub(/.*: */, "", ours)
    d = (ours - theirs[NR]) / theirs[NR]; if (d < 0) d = -d; if (d > worst) worst = d
    if (NR == 1 || NR % 10 == 0) printf "  step %2d   trireme %.6f   PyTorch %.6f\n", NR, ours, theirs[NR] }
  END { if (NR != n || n == 0) { print "the curves have different lengths"; exit 1 } printf "  worst relative difference %.1e over %d steps\n", worst, n; exit worst > 1e-5 }' "$out/reference/metrics.jsonl"

title "4. A small Llama learns to write from nothing: $steps steps over demo/stories.txt (trireme train demo/pretrain.yaml)"
"$trireme" launch -n 2 --run-folder "$out/stories" -- train "${pretrain[@]}"
curve "$out/stories"
"$trireme" export "$out/stories" --to hf --dtype fp32
printf '  It goes on with "The owl and the":\n'
"$trireme" generate "${pretrain[@]}" --prompt "The owl and the" --temperature 0.7 --max-new-tokens 130 2>>"$out/generate.log" | fold -s -w 110 | sed 's/^/    /'

title "5. It does not follow instructions yet (trireme generate --base)"
answers --base | tee "$out/before.txt"

title "6. LoRA on demo/instructions.jsonl: $tuning_steps steps beside the frozen model (trireme train demo/instruct.yaml)"
"$trireme" launch -n 2 --run-folder "$out/instructions" -- train "${instruct[@]}"
curve "$out/instructions"

title "7. Now it does (trireme generate)"
answers | tee "$out/after.txt"
"$trireme" export "$out/instructions" --to peft

title "8. Curves, configuration and environment on one page (trireme report)"
"$trireme" report "$out/stories" "$out/instructions" -o "$out/report.html" >/dev/null
echo "  open $(readlink -f "$out/report.html")"
echo "  runs: $out/stories, $out/instructions; what each folder holds: docs/job.md"
