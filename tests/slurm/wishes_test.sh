#!/usr/bin/env bash
# wishes_test.sh TRIREME GOLDEN, inside cluster.sh: what a job asks of Slurm is what Slurm says the job asked for; a dependent job waits, and one in a
# reservation is taken there.
set -euo pipefail
trireme=$1 golden=$2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() { echo "$1"; scontrol show job || true; exit 1; }
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/run
sequence_len: 64
max_steps: 3
learning_rate: 0.0003
bf16: false
YAML
scontrol create reservation ReservationName=kept StartTime=now Duration=10 Users=root Nodes=n1 >/dev/null
# A job that nobody lets begin, and one that waits for its success.
first=$(sbatch --parsable --hold --wrap true --output=/dev/null)
second=$("$trireme" submit "$dir/job.yaml" --nodes 1 --ranks-per-node 2 --cpus-per-rank 1 --mem 500M --time 00:07:00 --name "a-job" --account physics \
  --reservation kept --dependency "afterok:$first" --exclude n0 --binding none)
shown=$(scontrol --oneliner show job "$second" | tr ' ' '\n')
for words in JobName=a-job Account=physics Reservation=kept "Dependency=afterok:$first(unfulfilled)" ExcNodeList=n0 TimeLimit=00:07:00 NumNodes=1-1 \
  Requeue=1 MinMemoryNode=500M "StdOut=$dir/run/log/slurm-$second.log" JobState=PENDING Reason=Dependency; do
  grep -qxF "$words" <<<"$shown" || fail "Slurm does not say $words"
done
[[ $("$trireme" status "$second") == *PENDING*Dependency* ]] || fail "status: $("$trireme" status "$second")"
scontrol release "$first"
for _ in $(seq 400); do
  state=$(scontrol --oneliner show job "$second" | tr ' ' '\n' | sed -n 's/^JobState=//p')
  case $state in COMPLETED) break ;; PENDING | RUNNING | COMPLETING) sleep 0.1 ;; *) fail "the job is $state" ;; esac
done
[ "$state" = COMPLETED ] && [ "$(wc -l <"$dir/run/metrics.jsonl")" = 3 ] || fail "it did not run: $state"
scontrol --oneliner show job "$second" | grep -q ' NodeList=n1 ' || fail "it did not run in its reservation"
# The batch file's output is appended to, so a requeue keeps what was said before.
grep -qx '#SBATCH --open-mode=append' "$dir/run/submitted.sh" || fail "no --open-mode=append"
