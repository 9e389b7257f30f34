#!/usr/bin/env bash
# campaign_case.sh TRIREME GOLDEN FOLDER CASE, inside cluster.sh: one job, disturbed as CASE says; it must come back and end with the curve of an
# undisturbed run, or stop where it is told to. Prints one line about what was found.
set -euo pipefail
trireme=$1 golden=$2 dir=$3 case=$4
export OMP_NUM_THREADS=1
run=$dir/run detail=
source "$(dirname "${BASH_SOURCE[0]}")/disturbances.sh"
mkdir -p "$dir"

case $case in
  time_limit)  # Slurm's own warning before the time limit: saves, ends with 75, is requeued
    write_job 300
    submit --time 30 slurm.warning_seconds=59
    freeze_after 45
    scontrol update JobId="$job" TimeLimit="$(($(minutes_run) + 1))"
    until_true "Slurm's warning" warned
    thaw
    until_true "the requeue" was_requeued 1
    said_ended_with 75 || fail "the warning did not make it end with 75"
    scontrol update JobId="$job" TimeLimit=60
    same_as_undisturbed
    ;;
  signalled_twice)
    write_job 300
    submit
    freeze_after 45
    scancel --signal=USR1 "$job"
    until_true "the first signal" warned
    thaw
    scancel --signal=USR1 "$job" 2>/dev/null || true
    until_true "the requeue" was_requeued 1
    said_ended_with 75 || fail "two signals did not make it end with 75"
    same_as_undisturbed
    ;;
  signalled_in_save)  # USR1 arrives while a checkpoint is being written
    save_steps=2
    write_job 300
    submit
    until_true "step 5" has_steps 5
    saving() { compgen -G "$run/checkpoints/*tmp*" >/dev/null && freeze && compgen -G "$run/checkpoints/*tmp*" >/dev/null || { thaw; return 1; }; }
    until_true "a save" saving
    scancel --signal=USR1 "$job"
    until_true "the signal" warned
    thaw
    until_true "the requeue" was_requeued 1
    same_as_undisturbed
    ;;
  killed_rank)
    write_job 200
    submit
    freeze_after 45
    kill -9 "$(ranks | tail -n 1)"
    thaw
    until_true "the requeue" was_requeued 1
    same_as_undisturbed
    ;;
  stopped_rank)  # the watchdog finds the one that does nothing
    write_job 200 "" && sed -i 's/hang_time_limit: 20/hang_time_limit: 6/' "$dir/job.yaml"
    submit
    freeze_after 45
    victim=$(ranks | tail -n 1)
    for process in $(ranks); do [ "$process" = "$victim" ] || kill -CONT "$process"; done
    until_true "the requeue" was_requeued 1
    said_ended_with 124 || fail "the hang did not end with 124"
    same_as_undisturbed
    ;;
  lost_node)  # one slurmd and all its processes die mid-step; the node comes back
    write_job 200
    submit
    freeze_after 45
    kill -9 $(processes_of_node n1)
    thaw
    scontrol update NodeName=n1 State=DOWN Reason=lost
    until_true "the requeue" was_requeued 1
    setsid unshare -m -u "$CLUSTER_DIR/start-node" n1 >>"$CLUSTER_DIR/log/start.n1" 2>&1 </dev/null &
    node_is_back() { scontrol update NodeName=n1 State=RESUME 2>/dev/null; [[ $(sinfo -h -n n1 -o %T) == idle || $(sinfo -h -n n1 -o %T) == mixed ]]; }
    until_true "the node" node_is_back
    same_as_undisturbed
    ;;
  full_disk)  # the disk of the run folder fills up; someone makes room while the job waits
    run=$DISK/run
    write_job 200
    submit
    freeze_after 45
    dd if=/dev/zero of="$DISK/filler" bs=64k 2>/dev/null || true
    thaw
    until_true "the requeue" was_requeued 1
    rm "$DISK/filler"
    same_as_undisturbed
    ;;
  cancelled)
    write_job 100000
    submit
    until_true "step 45" has_steps 45
    "$trireme" cancel "$job"
    ends_as CANCELLED
    until_true "the end of the ranks" no_ranks
    [ "$(restarts)" = 0 ] || fail "a cancelled job was requeued"
    "$trireme" checkpoint verify "$run" >"$dir/verify.log" 2>&1 || fail "a checkpoint is damaged"
    detail="stays cancelled after $(lines) steps"
    ;;
  requeued)  # from outside, as a preemption does
    write_job 200
    submit
    freeze_after 45
    "$trireme" requeue "$job"
    thaw
    until_true "the requeue" was_requeued 1
    same_as_undisturbed
    ;;
  crash_loop)  # a job that never gets on stops after as many runs as it is told
    save_steps=0
    write_job 100000 "  fruitless_runs: 2"
    submit
    has_started() { [ "$(grep -cs '"event":"start"' "$run/events.jsonl")" -gt "$1" ]; }
    for round in 0 1; do
      until_true "run $round" has_started "$round"
      kill -9 "$(ranks | head -n 1)"
      stopped_or_requeued() { has_ended || was_requeued $((round + 1)); }
      until_true "the end of run $round" stopped_or_requeued
    done
    ends_as FAILED
    grep -q '2 runs in a row ended without a newer checkpoint' "$run"/log/slurm-*.log || fail "the log does not say why it stopped"
    detail="stopped after $(restarts) requeues"
    ;;
  sick_node)  # a node whose scratch cannot be written to is found before step 0, left out, and the job requeued
    mkdir -p "$CLUSTER_DIR/scratch"
    nsenter -t "$(cat "$CLUSTER_DIR/slurmd.n1.pid")" -m mount -t tmpfs -o ro tmpfs "$CLUSTER_DIR/scratch"
    write_job 60 "  scratch: $CLUSTER_DIR/scratch"
    submit
    until_true "the requeue" was_requeued 1
    [ "$(field ExcNodeList)" = n1 ] || fail "n1 is not left out but: $(field ExcNodeList)"
    grep -q 'leaves out n1' "$run/log/restarts.log" || fail "restarts.log does not name the node"
    grep -q '"node":"n1","healthy":false' "$run/log/health.jsonl" || fail "health.jsonl does not name the node"
    same_as_undisturbed fresh
    [[ $(field NodeList) == "n[0,2]" ]] || fail "the job ran on $(field NodeList)"
    ;;
  *) echo "campaign_case.sh: no case '$case'" >&2; exit 64 ;;
esac
echo "$case: $detail"
