#!/usr/bin/env bash
# tier_faults_test.sh TRIREME GOLDEN FAULTS [KILLS [SEED]]: runs with state on NVMe or on the host meet full and broken drives, short
# transfers, drives that vanish, a full /dev/shm, and SIGKILL in each phase: while they load, in the first step, between the reads, in the
# middle of the writes of an update, in a save and in an evaluation. Each ends with the code and the sentence of its cause; after each the next
# run in the same folders goes on and has the uninterrupted run's losses, letter for letter, and leaves nothing on the drives. FAULTS is the
# library of transfer_faults.cpp. KILLS (8): the phases, in turn; by hand more, at places drawn with SEED.
set -euo pipefail
trireme=$1 golden=$2 faults=$3 kills=${4:-8} seed=${5:-1}
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
test_datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
eval_steps: 3
output_dir: $dir/none
sequence_len: 64
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
train() {  # fault, run, ranks, overrides…
  local fault=$1 run=$2 ranks=$3
  shift 3
  local with=()
  [ -z "$fault" ] || with=(env "TRIREME_FAULT=$fault" "LD_PRELOAD=$faults")
  "${with[@]}" "$trireme" launch -n "$ranks" --time-limit 60s --run-folder "$dir/$run" -- train "$dir/job.yaml" "output_dir=$dir/$run" "$@" >>"$dir/$run.log" 2>&1
}
fail() { echo "$1"; tail -n 15 "$dir"/*.log; exit 1; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$dir/$1/metrics.jsonl"; }
ends() {  # wanted, words, fault, run, ranks, overrides…
  local wanted=$1 words=$2 status=0
  shift 2
  train "$@" || status=$?
  [ "$status" = "$wanted" ] && grep -q "$words" "$dir/$2.log" || fail "$1: ended with $status, not $wanted and '$words'"
}
goes_on() {  # run, ranks, whole, overrides…
  local run=$1 ranks=$2 whole=$3
  shift 3
  train "" "$run" "$ranks" "$@" || fail "the run after $run's fault"
  [ "$(curve "$run" | wc -l)" = 8 ] && diff <(curve "$whole") <(curve "$run") >/dev/null || fail "$run has another curve than $whole"
  [ -z "$(find "$dir"/drive-* -type f)" ] || fail "$run left files on the drives"
  "$trireme" checkpoint verify "$dir/$run" >"$dir/verify.log" 2>&1 || fail "a checkpoint of $run does not verify"
  rm -rf "${dir:?}/$run"
}
train "" whole 1 || fail "the uninterrupted run"
[ "$(curve whole | wc -l)" = 8 ] || fail "the uninterrupted run has not 8 steps"

if [ "$kills" -le 8 ]; then
  ends 78 'free some space or name another folder in offload.nvme_paths' "no-space 30" full 1
  goes_on full 1 whole
  ends 75 'Input/output error; look at the drive' "io-error 60" broken 1
  goes_on broken 1 whole
  train "short 0" short 1 || fail "short transfers"
  diff <(curve whole) <(curve short) >/dev/null || fail "short transfers changed the losses"

  # A drive that vanishes: the files shrink to nothing under the run, as seen through the map and by the engine.
  train "" gone 1 max_steps=100000 save_steps=20 & launcher=$!
  for _ in $(seq 400); do [ "$(cat "$dir/gone/metrics.jsonl" 2>/dev/null | wc -l)" -ge 3 ] && break; sleep 0.02; done
  for file in $(find "$dir"/drive-* -type f); do truncate -s 0 "$file"; done
  status=0; wait "$launcher" || status=$?
  [ "$status" = 75 ] && grep -q 'look at the drive (dmesg)' "$dir/gone.log" || fail "a drive that vanished: ended with $status"
  rm -rf "${dir:?}/gone"
  train "" gone 1 || fail "the run after a drive that vanished"
  diff <(curve whole) <(curve gone) >/dev/null || fail "the run after a drive that vanished has another curve"

  # A full /dev/shm of its own: seen beforehand, found out at the first touch, and large enough again.
  full='mount -t tmpfs -o "size=$1" none /dev/shm && shift && { "$@"; s=$?; [ -z "$(ls /dev/shm)" ] || echo "left in /dev/shm: $(ls /dev/shm)"; exit $s; }'
  if unshare -m true 2>/dev/null; then
    sharing() {  # size, fault, words, wanted
      local status=0 with=()
      [ -z "$2" ] || with=(env "TRIREME_FAULT=$2" "LD_PRELOAD=$faults")
      unshare -m bash -c "$full" - "$1" "${with[@]}" "$trireme" launch -n 2 --time-limit 60s --run-folder "$dir/shm" -- train "$dir/job.yaml" "output_dir=$dir/shm" \
        placement=zero3 offload.nvme_paths= max_steps=2 >"$dir/shm.log" 2>&1 || status=$?
      [ "$status" = "$4" ] && grep -q "$3" "$dir/shm.log" && ! grep -q 'left in /dev/shm' "$dir/shm.log" || fail "/dev/shm of $1 $2: ended with $status"
      rm -rf "${dir:?}/shm"
    }
    sharing 16k "" 'or --shm-size of the container' 78
    sharing 9m "" 'but /dev/shm has only' 78
    sharing 9m roomy '/dev/shm' 78
    sharing 64m "" 'step 2/2' 0
  fi
fi

ranks_of() { pgrep -f "^[^ ]*trireme train $dir/job.yaml output_dir=$dir/$1 " || true; }
# Kills all ranks of a run as soon as `there` holds.
kill_when() {  # run, ranks, test, overrides…
  local run=$1 ranks=$2 there=$3
  shift 3
  train "" "$run" "$ranks" "$@" & launcher=$!
  local hit=false
  for _ in $(seq 3000); do
    if eval "$there"; then hit=true; break; fi
    kill -0 "$launcher" 2>/dev/null || break
    sleep 0.005
  done
  $hit || fail "$run never came to: $there"
  mapfile -t victims < <(ranks_of "$run")
  [ ${#victims[@]} = 0 ] || kill -9 "${victims[@]}" 2>/dev/null || true
  { wait "$launcher" || true; } 2>/dev/null
  while [ -n "$(ranks_of "$run")" ]; do sleep 0.02; done
}
killed_at() {  # run, ranks, fault
  local status=0
  train "$3" "$1" "$2" || status=$?
  [ "$status" = 75 ] || [ "$status" = 137 ] || [ "$status" = 70 ] || fail "$3: ended with $status"
  [ -n "$(find "$dir"/drive-* -type f)" ] || fail "$3: a killed run removed its files"
}
host=(placement=zero_offload offload.nvme_paths=)
[ "$kills" -le 8 ] || train "" whole-2 2 || fail "the uninterrupted run of two ranks"
RANDOM=$seed
for ((kill = 0; kill < kills; ++kill)); do
  run=killed-$kill ranks=1 whole=whole extra=()
  if [ "$kills" -gt 8 ] && [ $((RANDOM % 2)) = 1 ]; then ranks=2 whole=whole-2; fi
  case $((kill % 8)) in
    0) phase=load; kill_when "$run" "$ranks" '[ -n "$(find "$dir"/drive-* -type f 2>/dev/null)" ]' ;;
    1) phase=first-step; killed_at "$run" "$ranks" "kill-before-read $([ "$kills" -gt 8 ] && echo $((RANDOM % 10)) || echo 3)" ;;
    2) phase=fetch; killed_at "$run" "$ranks" "kill-after-read $((60 + RANDOM % 150))" ;;
    3) phase=update; killed_at "$run" "$ranks" "kill-before-write $((60 + RANDOM % 150))" ;;
    4) phase=spill; killed_at "$run" "$ranks" "kill-in-write $((60 + RANDOM % 150))" ;;
    5) phase=save; kill_when "$run" "$ranks" 'compgen -G "$dir/$run/checkpoints/*.tmp" >/dev/null' ;;
    6) phase=evaluation; kill_when "$run" "$ranks" '[ "$(cat "$dir/$run/metrics.jsonl" 2>/dev/null | wc -l)" -ge 3 ]' ;;
    7) phase=host; extra=("${host[@]}"); kill_when "$run" "$ranks" '[ "$(cat "$dir/$run/metrics.jsonl" 2>/dev/null | wc -l)" -ge 4 ]' "${host[@]}" ;;
  esac
  before=$(cat "$dir/$run/metrics.jsonl" 2>/dev/null | wc -l || true)
  goes_on "$run" "$ranks" "$whole" "${extra[@]}"
  [ "$kills" -le 8 ] || echo "kill $((kill + 1)) phase $phase ranks $ranks steps $before: went on"
done
echo "full, broken, short, vanished drives and $kills kills: each told of, and each next run as if nothing had been"
