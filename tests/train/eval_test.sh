#!/usr/bin/env bash
# eval_test.sh TRIREME GOLDEN: `eval` gives the loss that PyTorch recorded, on any number of ranks, and a trained checkpoint
# the loss of the model that is exported from it.
. "${0%/*}/runs.sh"
reference_job <<YAML
shuffle_merged_datasets: false
output_dir: $dir/run
micro_batch_size: 2
max_steps: 5
learning_rate: 0.001
placement: zero3
bf16: false
YAML
loss_of() {  # ranks, words of eval…
  local ranks=$1
  shift
  mpirun --oversubscribe -n "$ranks" "$trireme" eval "$dir/job.yaml" --json "$@" 2>>"$dir/eval.log" | sed -n 's/.*"loss": *\([-0-9.e+]*\).*/\1/p'
}
equal() { awk -v a="$2" -v b="$3" -v name="$1" 'BEGIN { d = (a - b) / b; if (d < 0) d = -d; printf "%s: %.9g and %.9g\n", name, a, b; exit !(b > 0 && d <= 1e-5) }' || fail "$1"; }

recorded=$(tr -d ' \n' <"$golden/reference/reference.json" | sed 's/.*"loss":\[\([-0-9.e+]*\).*/\1/')
equal "the base model on one rank" "$(loss_of 1 --base --steps 1 micro_batch_size=4)" "$recorded"
equal "the base model on two ranks" "$(loss_of 2 --base --steps 1)" "$recorded"

"$trireme" launch -n 2 --run-folder "$dir/run" -- train "$dir/job.yaml" >"$dir/train.log" 2>&1 || fail "training failed"
trained=$(loss_of 2)
"$trireme" export "$dir/run" --to hf --dtype fp32 >"$dir/export.log" 2>&1 || fail "the model could not be exported"
equal "the checkpoint on one rank" "$(loss_of 1 micro_batch_size=4)" "$trained"
equal "the exported model" "$(loss_of 2 --base "base_model=$dir/run/export-hf")" "$trained"
awk -v a="$trained" -v b="$(loss_of 2 --base)" 'BEGIN { printf "after training %.9g, before %.9g\n", a, b; exit !(a < b) }' || fail "training did not lower the loss"
