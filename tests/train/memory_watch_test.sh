#!/usr/bin/env bash
# memory_watch_test.sh TRIREME GOLDEN: while a job trains, the limit of its control group is drawn in until little is left; log and events must name
# rank and node before the kernel would end anything, and the run goes on.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/trireme-memory-$$ usage=memory.current limit=memory.max
else
  group=/sys/fs/cgroup/memory/trireme-memory-$$ usage=memory.usage_in_bytes limit=memory.limit_in_bytes
fi
mkdir "$group" 2>/dev/null && [ -w "$group/$limit" ] || { rmdir "$group" 2>/dev/null; rm -rf "$dir"; echo "no control group can be made here: skipped"; exit 77; }
launcher=
finish() {
  [ -z "$launcher" ] || { kill -TERM "$launcher" 2>/dev/null || true; wait "$launcher" 2>/dev/null || true; }
  until rmdir "$group" 2>/dev/null; do sleep 0.1; done
  rm -rf "$dir"
}
trap finish EXIT
cat >"$dir/job.yaml" <<YAML
base_model: $golden/reference
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/run
sequence_len: 64
max_steps: 1000000
learning_rate: 0.0003
bf16: false
placement: zero3
YAML
echo 4000000000 >"$group/$limit"
bash -c "echo \$\$ >$group/cgroup.procs; exec '$trireme' launch -n 2 --run-folder '$dir/run' -- train '$dir/job.yaml'" >"$dir/log" 2>&1 &
launcher=$!
for _ in $(seq 600); do [ "$(wc -l 2>/dev/null <"$dir/run/metrics.jsonl" || echo 0)" -ge 10 ] && break; sleep 0.1; done
grep -q '"event":"memory"' "$dir/run/events.jsonl" && { echo "it warns while there is room"; exit 1; }
told() { grep -qs '"event":"memory"' "$dir/run/events.jsonl"; }
field() { awk -v name="$1" '$1 == name { print $2 }' "$group/memory.stat"; }
# What the kernel cannot take back, and less and less beside it: cache goes first, so nothing is ended.
held() { if [ "$usage" = memory.current ]; then echo $(($(field anon) + $(field shmem))); else echo $(($(field total_rss) + $(field total_shmem))); fi; }
for round in $(seq 150); do
  told && break
  echo $(($(held) * (round < 22 ? 128 - round : 106) / 100)) >"$group/$limit" 2>/dev/null || true
  sleep 0.3
done
told || { echo "nobody warned"; cat "$dir/log"; exit 1; }
before=$(wc -l <"$dir/run/metrics.jsonl")
grep -q "rank [01] on $(hostname) holds .* and its control group has .* left" "$dir/run/events.jsonl" || { echo "the event does not name rank and node:"; grep memory "$dir/run/events.jsonl"; exit 1; }
grep -qs "its control group has" "$dir"/run/log/rank-*.log || { echo "the log does not say it"; exit 1; }
echo 4000000000 >"$group/$limit"
for _ in $(seq 300); do [ "$(wc -l <"$dir/run/metrics.jsonl")" -gt $((before + 5)) ] && break; sleep 0.1; done
[ "$(wc -l <"$dir/run/metrics.jsonl")" -gt $((before + 5)) ] || { echo "the run did not go on"; exit 1; }
