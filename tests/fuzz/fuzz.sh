#!/bin/bash
# fuzz.sh BUILD SECONDS [NAME…]: gives each libFuzzer program of BUILD so many seconds of CPU time, one after the other, and prints
# a line for each: executions, CPU seconds, edges covered, inputs kept, crashes. What it keeps lies under BUILD/fuzz/NAME.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$1 seconds=$2
shift 2
[ $# -gt 0 ] || set -- config_json safetensors_header tokenizer_json data_rows chat_template job_yaml run_metrics
seeds_of() {
  case $1 in
    config_json) echo "$here/../golden/models" ;;
    tokenizer_json) echo "$here/../golden/tokenizers" ;;
    chat_template) echo "$here/../golden/templates" ;;
    job_yaml) echo "$here/../jobs/foreign $here/../../jobs/recipes" ;;
  esac
}
cpu_time() { awk '{ sum += $1 } END { print sum }' "$1"; }
for name in "$@"; do
  work=$build/fuzz/$name
  mkdir -p "$work/corpus" "$work/crashes"
  : >"$work/cpu" && : >"$work/log"
  executions=0
  while awk -v spent="$(cpu_time "$work/cpu")" -v most="$seconds" 'BEGIN { exit !(spent + 0 < most) }'; do
    TIMEFORMAT='%U
%S'
    { time "$build/bin/fuzz_$name" -max_total_time=120 -max_len=16384 -timeout="${FUZZ_TIMEOUT:-25}" -report_slow_units="${FUZZ_TIMEOUT:-25}" -rss_limit_mb=3000 -print_final_stats=1 \
      -use_value_profile=1 -artifact_prefix="$work/crashes/" "$work/corpus" "$here/corpus/$name" $(seeds_of "$name") >"$work/part" 2>&1; } 2>>"$work/cpu"
    cat "$work/part" >>"$work/log"
    executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$work/part" | tail -1 || echo 0)))
    [ "$(ls "$work/crashes" | wc -l)" -lt 5 ] || break
  done
  echo "$name: $executions executions, $(cpu_time "$work/cpu") s, $(grep -o 'cov: [0-9]*' "$work/log" | tail -1), $(ls "$work/corpus" | wc -l) inputs kept, $(ls "$work/crashes" | wc -l) crashes"
done
