#!/usr/bin/env bash
# hostile_job_test.sh TRIREME GOLDEN: names, paths and values that a shell would act on go through submit and the batch file, whose srun, scontrol and
# sbatch are stand-ins; nothing of them is carried out, words arrive as they were written, folders are private, and tokens are nowhere.
set -euo pipefail
trireme=$(readlink -f "$1") golden=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; exit 1; }
mkdir "$dir/bin" "$dir/work"
cat >"$dir/bin/sbatch" <<'SH'
#!/bin/bash
cat >"$HOSTILE/script"
echo 4711
SH
cat >"$dir/bin/srun" <<'SH'
#!/bin/bash
printf '%s\n' "$@" >>"$HOSTILE/words"
SH
printf '#!/bin/sh\nexit 1\n' >"$dir/bin/sinfo"
printf '#!/bin/sh\nexit 0\n' >"$dir/bin/scontrol"
chmod +x "$dir"/bin/*
export HOSTILE=$dir HF_TOKEN=hf_secret_of_the_test WANDB_API_KEY=wandb_secret_of_the_test
cd "$dir/work"
submit() { PATH=$dir/bin:$PATH "$trireme" submit "$dir/job.yaml" "$@" >"$dir/said" 2>&1; }
write_job() {  # output_dir
  OUT=$1 python3 - "$dir/job.yaml" "$golden" <<'PY'
import json, os, sys
with open(sys.argv[1], "w") as job:
    job.write("base_model: %s/reference\ndatasets:\n  - path: %s/reference/tokens.npy\n    type: tokens\n" % (sys.argv[2], sys.argv[2]))
    job.write("sequence_len: 64\nmax_steps: 3\nlearning_rate: 1e-4\nbf16: false\noutput_dir: %s\n" % json.dumps(os.environ["OUT"]))
PY
}
nothing_happened() { [ -z "$(find "$dir" -name 'CANARY*')" ] || fail "carried out: $1"; }

evil=('$(touch CANARY)' '`touch CANARY`' ';touch CANARY;' "'\$(touch CANARY)'" '"$(touch CANARY)"' '&&touch CANARY' '|touch CANARY' '../%j%u' $'x\ntouch CANARY' '-rf *' '${IFS}touch${IFS}CANARY')
turn=0
for word in "${evil[@]}"; do
  turn=$((turn + 1)) at=0
  # Where it would reach an #SBATCH line or the shell: refused in one sentence, or harmless.
  for key in name partition account qos reservation constraint dependency exclude scratch container time_limit memory_per_node; do
    at=$((at + 1))
    [ $(((at + turn) % 4)) = 0 ] || continue  # each key meets three words, each word three keys
    write_job "$dir/run"
    status=0
    submit "slurm.$key=$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$word")" || status=$?
    nothing_happened "slurm.$key=$word"
    case $status in
      0) SLURM_JOB_ID=1 SLURM_NNODES=1 PATH=$dir/bin:$PATH bash "$dir/script" >/dev/null 2>&1 || true; nothing_happened "the batch file of slurm.$key=$word" ;;
      78) [ "$(grep -c . "$dir/said")" -le 2 ] || fail "slurm.$key=$word: more than a sentence: $(cat "$dir/said")" ;;
      *) fail "slurm.$key=$word: submit ended with $status: $(cat "$dir/said")" ;;
    esac
    rm -rf "$dir/run"
  done
  # A run folder of that name is a folder of that name.
  folder=$dir/runs/${word//\//_}
  write_job "$folder"
  rm -f "$dir/words"
  status=0
  submit || status=$?
  if [ "$status" = 0 ]; then
    SLURM_JOB_ID=1 SLURM_NNODES=1 PATH=$dir/bin:$PATH bash "$dir/script" >/dev/null 2>&1 || true
    nothing_happened "output_dir $word"
    grep -qxF -- "$folder/submitted.yaml" "$dir/words" || fail "the ranks were not given $folder/submitted.yaml but: $(cat "$dir/words")"
    [ "$(stat -c %a "$folder")" = 700 ] || fail "the run folder is open to others: $(stat -c %a "$folder")"
  elif [ "$status" != 78 ]; then
    fail "output_dir $word: submit ended with $status"
  fi
done

# A whole run with tokens in its environment, and whatever it tells.
write_job "$dir/run"
submit || fail "a plain job was refused: $(cat "$dir/said")"
OMP_NUM_THREADS=1 "$trireme" launch -n 2 --run-folder "$dir/run" -- train "$dir/job.yaml" >"$dir/train.log" 2>&1 || fail "no training: $(tail -n 2 "$dir/train.log")"
"$trireme" report "$dir/run" >"$dir/report.log"
"$trireme" doctor --json >"$dir/doctor.log" 2>&1 || true
if grep -rl "secret_of_the_test" "$dir/run" "$dir/script" "$dir"/*.log "$dir/said"; then fail "a token was written down"; fi
for file in status.json metrics.jsonl job.yaml; do
  [ -f "$dir/run/$file" ] || fail "no $file"
done
[ "$(stat -c %a "$dir/run")" = 700 ] || fail "the run folder is open to others"
