#!/usr/bin/env bash
# plan_commands_test.sh TRIREME GOLDEN: the search writes a job that is planned as the search foretold it; pictures and traces of planned and of real
# steps hold both; a plan knows how many cores its ranks have and counts a step's micro-batches as its run does; a run foretells with the machine that it is given; the copy that saves take is a line of its own; gradients go to the host where they are planned to; 16,384 ranks are planned and their schedule is simulated.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; cat "$dir/said"; exit 1; }
number() { python3 -c "import json, sys; print(json.loads(open('$dir/said').read().splitlines()[0])$1)"; }

"$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu a100-40g gradient_accumulation_steps=2 sequence_len=8192 --search --json --presets zero3,hsdp \
  --write-job "$dir/best.yaml" >"$dir/said"
grep -q recomputed_except_attention "$dir/said" || fail "the policy that keeps attention is not tried"
searched=$(number '["step_s"]')
"$trireme" plan "$dir/best.yaml" --nodes 1 --gpus-per-node 8 --gpu a100-40g --json --trace "$dir/plan.json" --gantt "$dir/plan.svg" >"$dir/said"
[ "$(number '["step_s"]')" = "$searched" ] || fail "the written job takes another time than $searched"
python3 - "$dir/plan.json" "$dir/plan.svg" "$(number '["step_s"]')" <<'PY' || fail "the trace is not the plan's"
import json, sys
import xml.etree.ElementTree as xml
trace = json.load(open(sys.argv[1]))
events = [e for e in (trace if isinstance(trace, list) else trace["traceEvents"]) if e["ph"] == "X"]
end = max(e["ts"] + e["dur"] for e in events) / 1e6
xml.parse(sys.argv[2])
sys.exit(abs(end / float(sys.argv[3]) - 1) > 1e-3)
PY
"$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu h100-80g placement=zero3 gradient_checkpointing=true --deepspeed-estimates --tokens 1e9 \
  --set price_per_hour=2 >"$dir/said"
for words in "memory of one rank at its peak, [a-z]*ward of " "on the critical path" "ZeRO-3 offload_param=cpu" "1e+09 tokens take .* hours and cost"; do
  grep -q "$words" "$dir/said" || fail "does not say: $words"
done
grep -q "copy to save" "$dir/said" && fail "a copy is counted that nobody takes"
"$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu h100-80g placement=zero3 gradient_checkpointing=true save_steps=50 >"$dir/said"
grep -Eq "copy to save +host +11\.2. GiB" "$dir/said" || fail "the copy of an eighth of 12 bytes a parameter is not there"
"$trireme" plan llama-3-70b --nodes 2048 --gpus-per-node 8 --gpu h100-80g placement=zero3 gradient_checkpointing=true --json >"$dir/said"
[ "$(number '["fits"]')" = True ] || fail "70B on 16,384 ranks"

status=0
"$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu h100-80g placement=zero2 placement.parameters.tier=nvme >"$dir/said" 2>&1 || status=$?
[ "$status" = 78 ] && grep -q 'parameters on NVMe are updated by the host, which does not reach optimizer state on a GPU' "$dir/said" ||
  fail "what the engine refuses on GPUs is planned: ended with $status"
"$trireme" plan "$golden/reference" --nodes 1 --gpus-per-node 2 --gpu cpu placement=zero2 placement.parameters.tier=nvme sequence_len=64 >"$dir/said" 2>&1 ||
  fail "what runs on CPUs is refused there"

status=0
"$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu h100-80g placement=zero2 placement.gradients.tier=host >"$dir/said" 2>&1 || status=$?
[ "$status" = 78 ] && grep -q 'gradients on the host are applied there' "$dir/said" || fail "gradients that would come back are planned: ended with $status"
offloads() { "$trireme" plan llama-3-8b --nodes 1 --gpus-per-node 8 --gpu h100-80g placement=zero_offload "$@" >"$dir/said" || fail "does not fit: $*"; }
offloads gradient_accumulation_steps=1
grep -Eq '^  gradients +host ' "$dir/said" && grep -Eq '^  device_to_host ' "$dir/said" || fail "gradients do not go to the host"
offloads gradient_accumulation_steps=4
grep -Eq '^  gradients +device ' "$dir/said" || fail "gradients go to the host again and again though nobody asked for it"
offloads gradient_accumulation_steps=4 placement.gradients.tier=host
grep -Eq '^  host_to_device ' "$dir/said" || fail "gradients are not brought back to be added to"

two_ranks() { "$trireme" plan "$dir/job.yaml" --nodes 1 --gpus-per-node 2 --gpu cpu "$@" --json >"$dir/said"; }
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets: [{path: $golden/reference/tokens.npy, type: tokens}]
output_dir: $dir/run
sequence_len: 64
max_steps: 4
learning_rate: 0.0003
bf16: false
placement: zero3
YAML
"$trireme" launch -n 2 -- train "$dir/job.yaml" --trace "$dir/step.json" >"$dir/said" 2>&1 || fail "did not train"
for words in "foretold s   measured s" "^  compute " "^  exposed collectives" "^  state .* +0.0%" "^  slots .* +0.0%"; do
  grep -q -- "$words" "$dir/said" || fail "the summary lacks: $words"
done
slots() { number '["memory"]["gradient slots"]'; }
two_ranks --set cores=2
[ "$(number '["reduce_depth"]')" = 0 ] || fail "two ranks on two cores are planned with a lane that has no core"
none_left=$(slots)
two_ranks --set cores=3
[ "$(number '["reduce_depth"]')" = 1 ] && [ "$(slots)" -gt "$none_left" ] || fail "a core that is left does not reduce beside backward"
two_ranks schedule.reduce_depth=1 --set cores=2
[ "$(number '["reduce_depth"]')" = 1 ] || fail "a depth that the job names is not planned"
two_ranks slurm.cpus_per_rank=1 slurm.ranks_per_node=2
[ "$(number '["reduce_depth"]')" = 0 ] || fail "a core for each rank, as Slurm is asked, leaves one to reduce"
taskset -c "$(taskset -cp $$ | sed 's/.*: *//; s/[-,].*//')" "$trireme" plan "$dir/job.yaml" --nodes 1 --gpus-per-node 1 --gpu cpu --json >"$dir/said"
[ "$(number '["reduce_depth"]')" = 0 ] || fail "the cores that the process may not use are counted"
two_ranks
python3 - "$dir/run/memory.json" "$(slots)" <<'PY' || fail "the plan has other slots of gradients than its run"
import json, sys
lines = json.load(open(sys.argv[1]))["foretold"]
sys.exit(sum(line["bytes"] for line in lines if line["what"] == "gradient slots") != int(sys.argv[2]))
PY
python3 - "$dir/step.json" "$dir/step.svg" <<'PY' || fail "the trace lacks a rank or what was foretold"
import json, sys
import xml.etree.ElementTree as xml
trace = json.load(open(sys.argv[1]))
events = trace if isinstance(trace, list) else trace["traceEvents"]
names = {e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "process_name"}
xml.parse(sys.argv[2])
sys.exit(names != {"measured rank 0", "measured rank 1", "foretold rank 0"})
PY

plan_batch() { "$trireme" plan "$1" --nodes 1 --gpus-per-node 2 --gpu cpu --json "${@:2}" >"$dir/said"; }
plan_batch "$dir/job.yaml" train_batch_size=10 micro_batch_size=2 gradient_accumulation_steps=7
[ "$(number '["gradient_accumulation_steps"]')" = 3 ] || fail "10 rows are not 3 micro-batches of 2 on each of 2 ranks"
plan_batch "$dir/job.yaml" train_batch_size=10 micro_batch_size=2 --search --presets zero3 --write-job "$dir/batch.yaml"
[ "$(number '["gradient_accumulation_steps"] * '"$(number '["micro_batch_size"]')")" = 5 ] || fail "a search gives a rank another number of rows"
searched=$(number '["gradient_accumulation_steps"]')
plan_batch "$dir/batch.yaml" micro_batch_size=1
[ "$(number '["gradient_accumulation_steps"]')" = 5 ] || fail "the job of $searched micro-batches that the search wrote forgets its rows"
"$trireme" launch -n 2 -- train "$dir/job.yaml" train_batch_size=10 micro_batch_size=2 output_dir="$dir/batch" >"$dir/said" 2>&1 || fail "did not train 10 rows"
grep -q "10 rows make 3 micro-batches" "$dir/said" || fail "the run has other micro-batches than its plan"

foretold() { python3 -c "import json; print(json.load(open('$dir/$1/lanes.json'))['foretold_s'])"; }
echo '{"matrix_tflops_fp32": 0.000001}' >"$dir/slow.json"
"$trireme" launch -n 2 -- train "$dir/job.yaml" --machine "$dir/slow.json" output_dir="$dir/slow" >"$dir/said" 2>&1 || fail "did not train with a machine"
python3 -c "import sys; sys.exit(not 100 * $(foretold batch) < $(foretold slow))" || fail "the record of a run does not count with its machine"
