#!/usr/bin/env bash
# tier_faults_test.sh TRIREME GOLDEN FAULTS [ROUNDS SEED]: one job with state on NVMe meets, run after run, a full and a broken drive, SIGKILL in
# each phase (while it loads, in the first step, between the reads, before and in the middle of the writes of an update, in a save, in an
# evaluation, with its state on the host), a drive that vanishes and short transfers. Each run ends with the code and the sentence of its cause and the
# next one goes on; at the end the losses are the uninterrupted run's, letter for letter, and nothing is left on the drives. Beside
# it a /dev/shm that is too small or full. FAULTS is the library of transfer_faults.cpp.
# With ROUNDS: so many such jobs, on one or two ranks, faults in another order and at other places each time, drawn with SEED.
. "${0%/*}/runs.sh"
faults=$3 rounds=${4:-0} seed=${5:-1}
reference_job <<YAML
test_datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
eval_steps: 3
output_dir: $dir/none
micro_batch_size: 1
gradient_accumulation_steps: 2
max_steps: 8
learning_rate: 0.0003
lr_scheduler: constant
bf16: true
save_steps: 2
placement: zero_infinity
offload:
  nvme_paths: $dir/drive-a,$dir/drive-b
  nvme_backend: threads
  part_elements: 4096
YAML
with_fault() {  # fault, run, ranks, overrides…
  local fault=$1
  shift
  (
    [ -z "$fault" ] || export TRIREME_FAULT="$fault" LD_PRELOAD="$faults"
    try_train "$@"
  )
}
ends() {  # wanted, words, fault, run, ranks, overrides…
  local wanted=$1 words=$2 status=0 told=$dir/$4.log before
  shift 2
  touch "$told"
  before=$(wc -l <"$told")
  with_fault "$@" || status=$?
  [ "$status" = "$wanted" ] && tail -n +$((before + 1)) "$told" | grep -q "$words" || fail "$1: ended with $status, not $wanted and '$words'"
}
killed_at() {  # fault, run, ranks, overrides…
  local status=0
  with_fault "$@" || status=$?
  [ "$status" = 75 ] || [ "$status" = 137 ] || [ "$status" = 70 ] || fail "$1: ended with $status"
  [ -n "$(find "$dir"/drive-* -type f)" ] || fail "$1: a killed run removed its files itself"
}
ranks_of() { pgrep -f "^[^ ]*trireme train $dir/job.yaml output_dir=$dir/$1( |\$)" || true; }
# Kills all ranks of a run as soon as `there` holds.
kill_when() {  # run, ranks, test, overrides…
  local run=$1 ranks=$2 there=$3 launcher hit=false victims
  shift 3
  try_train "$run" "$ranks" "$@" & launcher=$!
  for _ in $(seq 6000); do
    if eval "$there"; then
      mapfile -t victims < <(ranks_of "$run")
      if [ ${#victims[@]} -gt 0 ]; then hit=true; break; fi
    fi
    kill -0 "$launcher" 2>/dev/null || break
    sleep 0.005
  done
  $hit || fail "$run never came to: $there"
  kill -9 "${victims[@]}" 2>/dev/null || true
  { wait "$launcher" || true; } 2>/dev/null
  while [ -n "$(ranks_of "$run")" ]; do sleep 0.02; done
}
steps_of() { [ -f "$dir/$1/metrics.jsonl" ] && wc -l <"$dir/$1/metrics.jsonl" || echo 0; }
# Faults come at one of the transfers 30 to 79. A run that is killed in its second step leaves no new checkpoint.
meets() {  # phase, run, ranks
  local phase=$1 run=$2 ranks=$3 place=$((30 + RANDOM % 50)) before
  before=$(steps_of "$run")
  case $phase in
    full) ends 78 'free some space or name another folder in offload.nvme_paths' "no-space $place" "$run" "$ranks" ;;
    broken) ends 75 'Input/output error; look at the drive' "io-error $place" "$run" "$ranks" ;;
    vanished) ends 75 'look at the drive (dmesg)' "vanish $place" "$run" "$ranks" ;;
    load) find "$dir"/drive-* -type f -delete; kill_when "$run" "$ranks" '[ -n "$(find "$dir"/drive-* -type f)" ]' ;;
    first-step) killed_at "kill-before-read $((RANDOM % 10))" "$run" "$ranks" ;;
    fetch) killed_at "kill-after-read $place" "$run" "$ranks" ;;
    update) killed_at "kill-before-write $place" "$run" "$ranks" ;;
    spill) killed_at "kill-in-write $place" "$run" "$ranks" ;;
    save) rm -rf "$dir/$run"/checkpoints/*.tmp; kill_when "$run" "$ranks" 'compgen -G "$dir/$run/checkpoints/*.tmp" >/dev/null' ;;
    evaluation) kill_when "$run" "$ranks" '[ "$(steps_of "$run")" -ge 3 ]' ;;
    host) kill_when "$run" "$ranks" "[ \$(steps_of $run) -gt $before ] || compgen -G '$dir/$run/checkpoints/step-*8' >/dev/null" placement=zero_offload offload.nvme_paths= ;;
  esac
  phases_met+=" $phase@$before"
}
goes_on() {  # run, ranks, whole
  local run=$1 ranks=$2 whole=$3
  with_fault "short 0" "$run" "$ranks" || fail "the run after all faults, with short transfers"
  [ "$(steps_of "$run")" = 8 ] && diff <(curve "$whole") <(curve "$run") >/dev/null || fail "$run has another curve than $whole:$phases_met"
  [ -z "$(find "$dir"/drive-* -type f)" ] || fail "$run left files on the drives"
  "$trireme" checkpoint verify "$dir/$run" >"$dir/verify.log" 2>&1 || fail "a checkpoint of $run does not verify"
  rm -rf "${dir:?}/$run"
}
# A /dev/shm of its own: too small beforehand, full at the first touch, and large enough again.
full='mount -t tmpfs -o "size=$1" none /dev/shm && shift && { "$@"; s=$?; [ -z "$(ls /dev/shm)" ] || echo "left in /dev/shm: $(ls /dev/shm)"; exit $s; }'
sharing() {  # size, fault, words, wanted
  local status=0 with=()
  [ -z "$2" ] || with=(env "TRIREME_FAULT=$2" "LD_PRELOAD=$faults")
  unshare -m bash -c "$full" - "$1" "${with[@]}" "$trireme" launch -n 2 --time-limit 60s --run-folder "$dir/shm" -- train "$dir/job.yaml" "output_dir=$dir/shm" \
    placement=zero3 offload.nvme_paths= max_steps=2 save_steps=0 eval_steps=0 >"$dir/shm.log" 2>&1 || status=$?
  [ "$status" = "$4" ] && grep -q "$3" "$dir/shm.log" && ! grep -q 'left in /dev/shm' "$dir/shm.log" || fail "/dev/shm of $1 $2: ended with $status"
  rm -rf "${dir:?}/shm"
}
full_shm() {
  unshare -m true 2>/dev/null || return 0
  sharing 9m "" 'but /dev/shm has only' 78
  sharing 9m roomy '/dev/shm' 78
  sharing 64m "" 'step 2/2' 0
}

phases=(full broken load first-step evaluation save fetch update spill host vanished)
RANDOM=$seed phases_met=
if [ "$rounds" = 0 ]; then
  full_shm & beside=$!
  train whole 1
  for phase in "${phases[@]}"; do meets "$phase" killed 1; done
  goes_on killed 1 whole
  wait "$beside" || fail "a full /dev/shm"
  echo "full, broken, short, vanished drives, 8 kills and a full /dev/shm: each told of, and each next run went on"
  exit
fi
for ranks in 1 2; do train "whole-$ranks" "$ranks"; done
for ((round = 1; round <= rounds; ++round)); do
  ranks=$((1 + RANDOM % 2)) phases_met=
  for phase in $(printf '%s\n' "${phases[@]}" | shuf --random-source=<(yes "$seed-$round")); do
    # What needs steps to come is met only where some are left.
    [ "$(steps_of "round-$round")" -lt 8 ] || break
    meets "$phase" "round-$round" "$ranks"
  done
  goes_on "round-$round" "$ranks" "whole-$ranks"
  echo "round $round, ranks $ranks, met at step:$phases_met: went on"
done
