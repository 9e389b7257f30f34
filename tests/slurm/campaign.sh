#!/usr/bin/env bash
# campaign.sh TRIREME GOLDEN [--log FILE] [CASE…]: disturbs jobs in a private cluster, each case in a cluster of its own, and says of each what came of
# it. With --log, cases that the file says have passed are not run again, so that a campaign that was cut off goes on. Without a case: all.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
trireme=$(readlink -f "$1") golden=$(readlink -f "$2")
shift 2
log=
[ "${1:-}" = --log ] && log=$2 && shift 2
cases=("$@")
[ ${#cases[@]} -gt 0 ] || cases=(time_limit signalled_twice signalled_in_save killed_rank stopped_rank lost_node full_disk cancelled requeued crash_loop sick_node)

passed=0 failed=0 skipped=0
for case in "${cases[@]}"; do
  if [ -n "$log" ] && grep -qs "^passed $case " "$log"; then
    echo "$case: passed before"
    passed=$((passed + 1))
    continue
  fi
  dir=$(mktemp -d) nodes=2 disk=
  [ "$case" = sick_node ] && nodes=3
  if [ "$case" = full_disk ]; then
    disk=$dir/disk
    # Where nothing may be mounted the cluster cannot be started either.
    mkdir "$disk" && mount -t tmpfs -o size=48m tmpfs "$disk" 2>/dev/null || disk=
  fi
  began=$SECONDS
  DISK=$disk "$here/cluster.sh" --nodes "$nodes" -- "$here/campaign_case.sh" "$trireme" "$golden" "$dir/case" "$case" >"$dir/output" 2>&1
  status=$?
  [ -z "$disk" ] || umount -l "$disk"
  said=$(grep "^$case: " "$dir/output" | tail -n 1)
  case $status in
    0) verdict=passed passed=$((passed + 1)) ;;
    77) verdict=skipped skipped=$((skipped + 1)) said="$case: $(tail -n 1 "$dir/output")" ;;
    *) verdict=failed failed=$((failed + 1)); cat "$dir/output" ;;
  esac
  line="$verdict ${said:-$case: status $status}, $((SECONDS - began)) s"
  echo "$line"
  [ -z "$log" ] || echo "$verdict $case $((SECONDS - began)) s: ${said#*: }" >>"$log"
  rm -rf "$dir"
done
echo "${#cases[@]} cases: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] || exit 1
[ "$passed" -gt 0 ] || exit 77
