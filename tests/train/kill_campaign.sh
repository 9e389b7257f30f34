#!/usr/bin/env bash
# kill_campaign.sh TRIREME GOLDEN [KILLS [SEED [FOLDER]]]: kills runs with SIGKILL on 2 to 4 ranks and resumes them: one rank, all ranks, or all
# with their launcher, each while it starts, trains, and at each stage of a save. After each kill every visible checkpoint must verify; each
# finished run must have the uninterrupted run's losses, letter for letter, and each step, and so each sample, once. With FOLDER the campaign
# keeps its log there, a line a kill, and goes on where it stopped when it is called again.
set -euo pipefail
trireme=$1 golden=$2 wanted=${3:-6} seed=${4:-1}
export OMP_NUM_THREADS=1
if [ $# -ge 5 ]; then
  dir=$5
  mkdir -p "$dir"
else
  dir=$(mktemp -d)
  trap 'rm -rf "$dir"' EXIT
fi
log=$dir/kills.log steps=120
touch "$log"
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/none
sequence_len: 64
max_steps: $steps
learning_rate: 0.0003
bf16: false
save_steps: 2
save_total_limit: 2
offload:
  nvme_paths: $dir/drive
YAML
train() {  # run, ranks, overrides…
  local run=$1 ranks=$2
  shift 2
  "$trireme" launch -n "$ranks" --time-limit 60s --run-folder "$dir/$run" -- train "$dir/job.yaml" "output_dir=$dir/$run" "$@" >>"$dir/$run.log" 2>&1
}
fail() { echo "$1"; tail -n 15 "$dir"/*.log; exit 1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$dir/$1/metrics.jsonl"; }
ranks_of() { pgrep -f "^[^ ]*trireme train $dir/job.yaml output_dir=$dir/$1 " || true; }
everything_of() { pgrep -f "train $dir/job.yaml output_dir=$dir/$1 " || true; }  # launcher and mpirun too
steps_done() { local -a lines=(); [ ! -f "$dir/$run/metrics.jsonl" ] || mapfile -t lines <"$dir/$run/metrics.jsonl"; echo "${#lines[@]}"; }
newest() { ls "$saved" 2>/dev/null | grep -v -e tmp -e latest -e old | tail -n 1 || true; }

variants=("2 zero3" "3 ddp" "4 hsdp" "2 zero2 checkpoint.asynchronous=false" "2 zero3 optimizer=adamw_bnb_8bit" "2 zero_infinity"
  "2 zero_offload" "2 qlora_fsdp adapter=qlora lora_r=4 lora_target_linear=true")
targets=(starting training made shards master manifest renamed pruned finishing)

# Returns when the run is where the target says, or the launcher has ended.
await() {
  local target=$1 patience=$((SECONDS + 40)) seen=$2
  while [ "$SECONDS" -lt "$patience" ] && kill -0 "$launcher" 2>/dev/null; do
    case $target in
      starting) sleep "$((seen % 2)).$((RANDOM % 90 + 10))"; return ;;
      training) [ "$(steps_done)" -ge "$until" ] && { sleep "0.0$((RANDOM % 90 + 10))"; return; }; sleep 0.01 ;;
      finishing) [ "$(steps_done)" -ge "$steps" ] && { sleep "0.0$((RANDOM % 90 + 10))"; return; }; sleep 0.01 ;;
      made) compgen -G "$saved/*.tmp" >/dev/null && return ;;
      shards) compgen -G "$saved/*.tmp/shard-*" >/dev/null && return ;;
      master) compgen -G "$saved/*.tmp/checkpoint.h5" >/dev/null && return ;;
      manifest) compgen -G "$saved/*.tmp/manifest.json.xxh3" >/dev/null && return ;;
      renamed) [ "$(newest)" != "$(cat "$saved/latest" 2>/dev/null)" ] && return ;;
      pruned) [ "$(ls "$saved" 2>/dev/null | grep -c -v -e tmp -e latest)" -gt 2 ] && return ;;
    esac
  done
  return 0
}
# Where the processes died, as what they left says.
found() {
  local making
  making=$(compgen -G "$saved/step-*.tmp" | tail -n 1 || true)
  if [ -n "$making" ]; then
    if [[ ! $(basename "$making") > $(newest) ]]; then echo pruning
    elif [ -f "$making/manifest.json.xxh3" ]; then echo manifest-written
    elif [ -f "$making/checkpoint.h5" ]; then echo master-written
    elif compgen -G "$making/shard-*" >/dev/null; then echo shards-begun
    else echo folder-made; fi
  elif [ -z "$(newest)" ]; then echo before-the-first-save
  elif [ "$(newest)" != "$(cat "$saved/latest" 2>/dev/null)" ]; then echo renamed-not-latest
  elif [ "$(ls "$saved" | grep -c '^step')" -gt 2 ]; then echo named-not-pruned
  elif [ "$(steps_done)" -ge "$steps" ]; then echo after-the-last-step
  elif [ "$(steps_done)" = "$before" ]; then echo before-the-next-step
  else echo between-saves; fi
}

# The victims of a kill: a rank, all ranks, or everything.
choose() {
  mapfile -t victims < <(ranks_of "$run")
  who=one-rank
  case $choice in
    0) mapfile -t victims < <(everything_of "$run"); who=everything ;;
    1) who=all-ranks ;;
    *) [ ${#victims[@]} = 0 ] || victims=("${victims[$((which % ${#victims[@]}))]}") ;;
  esac
}

killed() { grep -c '' "$log" || true; }
finished=$(cat "$dir/finished" 2>/dev/null || echo 0)
while :; do
  kills=$(killed)
  trials=$(($(cat "$dir/trials" 2>/dev/null || echo 0) + 1))
  echo "$trials" >"$dir/trials"
  RANDOM=$((seed + trials * 7919))
  read -r ranks placement extra <<<"${variants[$((finished % ${#variants[@]}))]}"
  # shellcheck disable=SC2206 # words on purpose
  settings=("placement=$placement" "micro_batch_size=$((12 / ranks))" $extra)
  whole=whole-$((finished % ${#variants[@]})) run=killed-$finished saved=$dir/killed-$finished/checkpoints
  if [ ! -f "$dir/$whole.done" ]; then
    rm -rf "${dir:?}/$whole"
    train "$whole" "$ranks" "${settings[@]}" || fail "the uninterrupted run failed"
    [ "$(curve "$whole" | wc -l)" = "$steps" ] || fail "the uninterrupted run has not $steps steps"
    touch "$dir/$whole.done"
  fi
  status=0
  if [ "$kills" -ge "$wanted" ]; then
    train "$run" "$ranks" "${settings[@]}" || fail "the last run could not be finished"
  else
    before=$(steps_done)
    target=${targets[$((RANDOM % ${#targets[@]}))]}
    until=$((before + 1 + RANDOM % 8))
    train "$run" "$ranks" "${settings[@]}" & launcher=$!
    choice=$((RANDOM % 4)) which=$RANDOM
    # Some way to go first, so that the campaign gets on; who is to be killed is known before, since stages are short.
    case $target in
      starting | training | finishing) await "$target" "$kills"; choose ;;
      *) await training "$kills"; choose; await "$target" "$kills" ;;
    esac
    hit=false
    if [ ${#victims[@]} -gt 0 ] && kill -9 "${victims[@]}" 2>/dev/null; then hit=true; fi
    { wait "$launcher" || status=$?; } 2>/dev/null
    while [ -n "$(ranks_of "$run")" ]; do sleep 0.05; done
    if $hit; then
      echo "kill $((kills + 1)) run $finished ranks $ranks $placement ${extra:-plain} who $who target $target found $(found) steps $(steps_done) status $status" >>"$log"
    fi
    if [ -n "$(newest)" ]; then
      "$trireme" checkpoint verify "$dir/$run" >"$dir/verify.log" 2>&1 || fail "a visible checkpoint does not verify after $kills kills: $(grep -v sound "$dir/verify.log")"
    fi
  fi
  if grep -h "an older checkpoint is looked for" "$dir/$run.log"; then fail "a run met a damaged checkpoint"; fi
  if [ "$status" = 0 ]; then
    diff <(curve "$whole") <(curve "$run") >"$dir/diff" || { head -n 5 "$dir/diff"; fail "run $finished has another curve after $kills kills"; }
    finished=$((finished + 1))
    echo "$finished" >"$dir/finished"
    rm -rf "${dir:?}/$run" "$dir/$run.log"
    [ "$kills" -lt "$wanted" ] || break
  elif [ "$status" != 75 ] && [ "$status" != 137 ]; then
    fail "a killed run ended with $status"
  fi
done
count() { awk -v key="$1" '{ for (i = 1; i < NF; ++i) if ($i == key) ++seen[$(i + 1)] } END { for (k in seen) printf " %s %d", k, seen[k]; print "" }' "$log"; }
for key in ranks who target found; do echo "$key:$(count "$key")"; done
echo "$(killed) kills, $finished runs finished with the uninterrupted runs' losses, no unreadable state"
