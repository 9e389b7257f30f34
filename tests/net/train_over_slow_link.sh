#!/usr/bin/env bash
# train_over_slow_link.sh TRIREME JOB PLACEMENT...: trains a few steps of JOB under each placement on 2 hosts of 2 ranks whose links are
# shaped to 1 Gbit/s, and prints the median step's tokens/s and the bytes that each step sends between the hosts.
set -euo pipefail
trireme=$(readlink -f "$1") job=$(readlink -f "$2")
shift 2
rate=${RATE:-1gbit} steps=${STEPS:-5}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

sent() { sed -n 's/.*"sent_bytes": \([0-9]*\).*/\1/p' "$1" | sort -n | tail -1; }
train() {  # placement, steps, words of train…
  local placement=$1 count=$2
  shift 2
  "$here/hosts.sh" --hosts 2 --ranks-per-host 2 --rate "$rate" --report "$dir/report" -- "$trireme" train "$job" "placement.preset=$placement" \
    "output_dir=$dir/run" "max_steps=$count" save_steps=0 "$@" >"$dir/log" 2>&1 || { tail -5 "$dir/log"; exit 1; }
}

printf '%-24s %12s %16s\n' placement tokens/s 'MB a step'
for word in "$@"; do
  IFS=, read -r -a changes <<<"$word"
  rm -rf "$dir/run" && train "${changes[0]}" 1 "${changes[@]:1}"
  first=$(sent "$dir/report")
  rm -rf "$dir/run" && train "${changes[0]}" "$steps" "${changes[@]:1}"
  # The first step warms up; what is sent before and after the steps is in both runs.
  sed 's/.*"tokens_per_s": *\([0-9.e+]*\).*/\1/' "$dir/run/metrics.jsonl" | tail -n +2 | sort -g |
    awk -v word="$word" -v first="$first" -v all="$(sent "$dir/report")" -v steps="$steps" \
      '{ rate[NR] = $1 } END { printf "%-24s %12.0f %16.1f\n", word, (rate[int((NR + 1) / 2)] + rate[int(NR / 2) + 1]) / 2, (all - first) / (steps - 1) / 1e6 }'
done
