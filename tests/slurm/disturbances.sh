# Sourced by campaign_case.sh: a job of four ranks on two nodes, and what is done to it. Everything waits for events and has no clock of its own
# but a long patience; ranks are frozen while they are disturbed, so that no machine is too fast.
patience=${PATIENCE:-240}

fail() {
  echo "$case: $1"
  scontrol --oneliner show job 2>/dev/null | cut -c1-400 || true
  cat "$run"/log/restarts.log 2>/dev/null || true
  tail -n 6 "$run"/log/slurm-*.log 2>/dev/null || true
  grep -h error "$CLUSTER_DIR"/log/slurm* 2>/dev/null | tail -n 12 || true
  exit 1
}
# until WHAT COMMAND…: polls until the command succeeds.
until_true() {
  local what=$1 began=$SECONDS
  shift
  until "$@"; do
    [ $((SECONDS - began)) -lt "$patience" ] || fail "waited $patience s in vain: $what"
    sleep 0.05
  done
}

write_job() {  # steps, more lines for the section slurm
  cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $run
sequence_len: 64
max_steps: $1
save_steps: ${save_steps:-20}
learning_rate: 0.0003
bf16: false
placement: zero3
hang_time_limit: 20
slurm:
  nodes: 2
  ranks_per_node: 2
${2:-}
YAML
}
submit() { job=$("$trireme" submit "$dir/job.yaml" "$@" 2>"$dir/submit.log") || fail "submit failed: $(tail -n 2 "$dir/submit.log")"; }

lines() { wc -l 2>/dev/null <"$run/metrics.jsonl" || echo 0; }
has_steps() { [ "$(lines)" -ge "$1" ]; }
curve() { sed 's/.*"step": *\([0-9]*\).*"loss": *\([-0-9.e+]*\).*/\1 \2/' "$1/metrics.jsonl"; }
ranks() {
  local process
  for process in $(pgrep -x trireme); do
    if tr '\0' ' ' <"/proc/$process/cmdline" 2>/dev/null | grep -q "train $run/submitted.yaml"; then echo "$process"; fi
  done
}
all_ranks_there() { [ "$(ranks | wc -l)" = 4 ]; }
signal_ranks() { local process; for process in $(ranks); do kill "-$1" "$process" 2>/dev/null || true; done; }
freeze() { signal_ranks STOP; }
thaw() { signal_ranks CONT; }
# Frozen behind at least so many steps of this run.
freeze_after() {
  until_true "step $1" has_steps "$1"
  freeze
  [ -n "$(ranks)" ] || fail "the run ended before it could be disturbed"
}
# USR1 waits at a frozen process.
warned() { local process; for process in $(ranks); do [ $((0x$(awk '/^(SigPnd|ShdPnd):/ { print $2 }' "/proc/$process/status" | sort | tail -n 1) >> 9 & 1)) = 1 ] || return 1; done; }

field() { scontrol --oneliner show job "$job" | tr ' ' '\n' | sed -n "s/^$1=//p" | head -n 1; }
state() { field JobState; }
minutes_run() { field RunTime | awk -F: '{ print $(NF - 1) + 60 * $(NF - 2) }'; }
restarts() { field Restarts; }
was_requeued() { [ "$(restarts)" -ge "$1" ]; }
is_running_again() { [ "$(state)" = RUNNING ] && was_requeued "$1"; }
has_ended() { case $(state) in COMPLETED | FAILED | CANCELLED* | TIMEOUT | NODE_FAIL) return 0 ;; esac; return 1; }
ends_as() {
  until_true "the end of the job" has_ended
  [[ $(state) == $1* ]] || fail "the job should be $1 but is $(state)"
}
said_ended_with() { grep -q "ended with $1\$" "$run/log/restarts.log" 2>/dev/null; }
no_ranks() { [ -z "$(ranks)" ]; }

# The curve of the same job without any of that, each step once, the last checkpoint sound.
same_as_undisturbed() {
  ends_as COMPLETED
  srun -N2 -n4 --ntasks-per-node=2 --mpi=pmix "$trireme" train "$dir/job.yaml" output_dir="$dir/whole" >"$dir/whole.log" 2>&1 || fail "the undisturbed run failed: $(tail -n 3 "$dir/whole.log")"
  [ "$(lines)" = "$(wc -l <"$dir/whole/metrics.jsonl")" ] || fail "metrics.jsonl has $(lines) lines instead of $(wc -l <"$dir/whole/metrics.jsonl")"
  diff <(curve "$dir/whole") <(curve "$run") >"$dir/diff" || { head -n 5 "$dir/diff"; fail "the disturbed run has another curve"; }
  [ "${1:-resumed}" = fresh ] || grep -q '"event":"resume"' "$run/events.jsonl" || fail "it did not resume from a checkpoint"
  "$trireme" checkpoint verify "$run" >"$dir/verify.log" 2>&1 || fail "a checkpoint is damaged: $(tail -n 2 "$dir/verify.log")"
  detail="$(lines) steps, restarted $(restarts) times"
}

processes_of_node() {  # of its host: whatever shares the UTS namespace of its slurmd
  local daemon process wanted
  daemon=$(cat "$CLUSTER_DIR/slurmd.$1.pid")
  wanted=$(readlink "/proc/$daemon/ns/uts")
  for process in /proc/[0-9]*; do
    if [ "$(readlink "$process/ns/uts" 2>/dev/null)" = "$wanted" ]; then echo "${process#/proc/}"; fi
  done
}
