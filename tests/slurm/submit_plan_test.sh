#!/usr/bin/env bash
# submit_plan_test.sh TRIREME RECIPES: submit refuses a job that its nodes cannot hold and names one that they can, which then is taken; GPUs and memory
# are those that Slurm tells of (a stand-in here), and where nobody tells, a note says that no plan was made.
set -euo pipefail
trireme=$(readlink -f "$1") recipes=$(readlink -f "$2")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; cat "$dir/said"; exit 1; }
mkdir "$dir/bin"
printf '#!/bin/sh\ncat >/dev/null\necho 4711\n' >"$dir/bin/sbatch"
printf '#!/bin/sh\necho "gpu*|900000|${GRES:-(null)}"\n' >"$dir/bin/sinfo"
chmod +x "$dir"/bin/*
export PATH=$dir/bin:$PATH
submit() { "$trireme" submit "$recipes/llama-3-70b-lora-2x8.yaml" base_model="$recipes/shapes/llama-3-70b" output_dir="$dir/run" "$@" >"$dir/said" 2>&1; }

submit || fail "a job that fits was refused"
grep -q 'note: plan: fits, [0-9.]* GiB of 80 GiB of each a100-80g' "$dir/said" || fail "the plan is not told"
status=0
submit placement=ddp --nodes 1 --gpu rtx4090 || status=$?
[ "$status" = 78 ] || fail "ddp of 70B on 24 GB ended with $status"
grep -q 'does not fit 1 nodes of 8 ranks on rtx4090: needs .* the nearest that fits: placement=' "$dir/said" || fail "the refusal does not name what fits"
words_named() { sed -n 's/.*the nearest that fits: \([^(]*\) (.*/\1/p' "$dir/said"; }
words=$(words_named)
submit --nodes 1 --gpu rtx4090 $words || fail "what was named does not fit: $words"
submit --nodes 1 --gpu rtx4090 placement.activations=kept && fail "kept activations of 70B fit 24 GB"
words=$(words_named)
submit --nodes 1 --gpu rtx4090 placement.activations=kept $words || fail "what was named beside a change does not fit: $words"
submit placement=ddp --nodes 1 --gpu rtx4090 --without-plan || fail "--without-plan is not heard"
# What Slurm tells of its nodes.
GRES='gpu:a100:8(S:0-1)' submit slurm.gpu= placement=ddp --nodes 1 && fail "the type of Slurm's GPUs is not heard"
grep -q 'on a100-40g' "$dir/said" || fail "the GPU is another one"
submit slurm.gpu= || fail "a job of unknown GPUs was refused"
grep -q 'plan: not made, nobody says which GPUs these are; set slurm.gpu' "$dir/said" || fail "no word that there is no plan"
submit slurm.gpu= slurm.gpus_per_node=0 slurm.memory_per_node=64G && fail "140 GB of weights fit 64 GB of hosts"
grep -q 'does not fit .* on cpu' "$dir/said" || fail "hosts are not planned for"
