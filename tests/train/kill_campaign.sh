#!/usr/bin/env bash
# kill_campaign.sh TRIREME GOLDEN [KILLS [SEED]]: kills runs with SIGKILL at moments drawn by chance, one rank or all with their launcher, on
# 2 to 4 ranks, and resumes them. After each kill every visible checkpoint must verify; each finished run must have the uninterrupted
# run's losses, letter for letter, and each step, and so each sample, once.
set -euo pipefail
trireme=$1 golden=$2 wanted=${3:-6}
RANDOM=${4:-1}
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/none
sequence_len: 64
max_steps: 240
learning_rate: 0.0003
bf16: false
save_steps: 2
YAML
train() {  # run, ranks, overrides…
  local run=$1 ranks=$2
  shift 2
  "$trireme" launch -n "$ranks" --time-limit 30s --run-folder "$dir/$run" -- train "$dir/job.yaml" "output_dir=$dir/$run" "$@" >>"$dir/$run.log" 2>&1
}
fail() { echo "$1"; tail -n 15 "$dir"/*.log; exit 1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$dir/$1/metrics.jsonl"; }
ranks_of() { pgrep -f "^[^ ]*trireme train $dir/job.yaml output_dir=$dir/$1 " || true; }
everything_of() { pgrep -f "train $dir/job.yaml output_dir=$dir/$1 " || true; }  # launcher and mpirun too

# ranks, placement, how it saves
variants=("2 zero3 true" "3 ddp true" "4 hsdp true" "2 zero2 false")
kills=0 finished=0 trial=0 missed=0
while [ "$kills" -lt "$wanted" ]; do
  read -r ranks placement asynchronous <<<"${variants[$((finished % ${#variants[@]}))]}"
  settings=("placement=$placement" "checkpoint.asynchronous=$asynchronous" "micro_batch_size=$((12 / ranks))" "save_total_limit=2")
  whole=whole-$ranks-$placement run=killed-$finished
  if [ ! -d "$dir/$whole" ]; then train "$whole" "$ranks" "${settings[@]}" || fail "the uninterrupted run failed"; fi
  train "$run" "$ranks" "${settings[@]}" & launcher=$!
  sleep "0.$((RANDOM % 90 + 10))"
  [ $((RANDOM % 2)) = 0 ] || sleep "0.$((RANDOM % 90 + 10))"
  mapfile -t victims < <(ranks_of "$run" | shuf --random-source=<(yes "$((trial++))"))
  if [ ${#victims[@]} -gt 0 ]; then
    case $((RANDOM % 4)) in
      0) mapfile -t victims < <(everything_of "$run") ;;
      1) ;;
      *) victims=("${victims[0]}") ;;
    esac
    if kill -9 "${victims[@]}" 2>/dev/null; then kills=$((kills + 1)); else missed=$((missed + 1)); fi
  fi
  status=0; { wait "$launcher" || status=$?; } 2>/dev/null
  if [ -n "$(ls "$dir/$run/checkpoints" 2>/dev/null | grep -v -e tmp -e latest || true)" ]; then
    "$trireme" checkpoint verify "$dir/$run" >"$dir/verify.log" 2>&1 || fail "a visible checkpoint does not verify after $kills kills: $(grep -v sound "$dir/verify.log")"
  fi
  if [ "$status" = 0 ]; then
    diff <(curve "$whole") <(curve "$run") >"$dir/diff" || { head -n 5 "$dir/diff"; fail "run $finished has another curve after $kills kills"; }
    rm -rf "${dir:?}/$run" "$dir/$run.log"
    finished=$((finished + 1))
  elif [ "$status" != 75 ] && [ "$status" != 137 ]; then
    fail "a killed run ended with $status"
  fi
done
until train "$run" "$ranks" "${settings[@]}"; do fail "the last run could not be finished"; done
diff <(curve "$whole") <(curve "$run") >"$dir/diff" || fail "the last run has another curve"
grep -h "an older checkpoint is looked for" "$dir"/*.log && fail "a run met a damaged checkpoint"
echo "$kills kills, $((finished + 1)) runs finished with the uninterrupted runs' losses, no unreadable state"
