#!/usr/bin/env bash
# launch_signals_test.sh TRIREME: TERM and INT to `trireme launch` reach the ranks, its exit code says so, and no process is left.
set -euo pipefail
trireme=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

try() {  # signal, wanted exit code, what the ranks do with it
  local signal=$1 wanted=$2 program=$3 mark=$work/started.$1.$2 code=0 launcher
  "$trireme" launch -n 2 -- bash -c "trap '$program' $signal; touch $mark.\$OMPI_COMM_WORLD_RANK; sleep 60 & wait" >"$work/out" 2>&1 &
  launcher=$!
  for _ in $(seq 200); do [ -e "$mark.0" ] && [ -e "$mark.1" ] && break; sleep 0.05; done
  kill -"$signal" $launcher
  wait $launcher || code=$?
  [ "$code" = "$wanted" ] || { echo "after SIG$signal (ranks: $program): $code instead of $wanted"; cat "$work/out"; exit 1; }
  ! pgrep -f "$mark" >/dev/null || { echo "processes are left after SIG$signal"; exit 1; }
}
try TERM 143 'kill %1; trap - TERM; kill -TERM $$'
try INT 130 'kill %1; exit 1'
try TERM 75 'kill %1; exit 75'
