#!/bin/bash
# Runs an MPI program over several "hosts" of one machine. Each host is a network namespace with its own hostname, boot id,
# /dev/shm and interface eth0, shaped by tc; a bridge in a namespace of its own joins them. Nothing is left behind, and
# nothing outside these namespaces is changed.
set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Whatever still lives in one of the network namespaces under a state folder belongs to the job, orphans included.
tear_down_folder() {
  local state=$1 file holder wanted link
  [ -d "$state" ] || return 0
  for file in "$state"/*.pid; do
    holder=$(<"$file")
    [ "$(cat "/proc/$holder/comm" 2>/dev/null)" = sleep ] || continue
    wanted=$(readlink "/proc/$holder/ns/net")
    [ -n "$wanted" ] && [ "$wanted" != "$(readlink /proc/self/ns/net)" ] || continue
    for link in /proc/[0-9]*/ns/net; do
      [ "$(readlink "$link" 2>/dev/null)" = "$wanted" ] && { link=${link#/proc/}; kill -KILL "${link%%/*}" 2>/dev/null; }
    done
  done
  rm -rf "$state"
}

# Outlives a hosts.sh that was killed without a chance to clean up.
guard() {
  while kill -0 "$1" 2>/dev/null && [ -d "$2" ]; do sleep 0.5; done
  tear_down_folder "$2"
}

usage() {
  cat <<'TEXT'
usage: hosts.sh [options] -- PROGRAM [ARGUMENT...]
  --hosts H               number of hosts (2)
  --ranks-per-host R      ranks on each (1); or
  --layout 2,1            ranks of each host, one number a host
  --rate RATE             speed of each host's link in either direction, as tc writes it: 1gbit, 200mbit; none: unshaped (1gbit)
  --burst BYTES           what a link that rested passes at once before its rate counts, as tc writes it (256kb)
  --order host|round      ranks fill a host before the next (host), or are dealt out in turn (round)
  --mca NAME VALUE        passed to mpirun; may be repeated
  --first                 start PROGRAM once, on host0, with Open MPI set up so that an mpirun in it reaches all hosts
  --report FILE           write one JSON object a host: bytes and packets sent and received, payload_sent without headers
Exit status: that of mpirun; 64 for a wrong command line; 77 where namespaces are not permitted.
TEXT
}

die() { echo "hosts.sh: $*" >&2; exit 64; }

hosts=2 each=1 layout= rate=1gbit burst=256kb order=host report= first=no mca=()
while [ $# -gt 0 ]; do
  case $1 in
    --hosts) hosts=${2:?}; shift 2 ;;
    --ranks-per-host) each=${2:?}; shift 2 ;;
    --layout) layout=${2:?}; shift 2 ;;
    --rate) rate=${2:?}; shift 2 ;;
    --burst) burst=${2:?}; shift 2 ;;
    --order) order=${2:?}; shift 2 ;;
    --mca) mca+=(--mca "${2:?}" "${3:?}"); shift 3 ;;
    --first) first=yes; shift ;;
    --report) report=${2:?}; shift 2 ;;
    --help|-h) usage; exit 0 ;;
    --tear-down) tear_down_folder "${2:?}"; exit 0 ;;
    --guard) guard "${2:?}" "${3:?}"; exit 0 ;;
    --) shift; break ;;
    *) usage >&2; die "unknown option '$1'" ;;
  esac
done
[ $# -gt 0 ] || { usage >&2; die "no program given after --"; }
if [ -z "$layout" ]; then
  [[ $hosts =~ ^[1-9][0-9]*$ && $each =~ ^[1-9][0-9]*$ ]] || die "--hosts and --ranks-per-host take positive numbers"
  layout=$(printf "%${hosts}s" '' | sed "s/ /,$each/g; s/^,//")
fi
[[ $layout =~ ^[1-9][0-9]*(,[1-9][0-9]*)*$ ]] || die "--layout takes numbers with commas between, such as 2,1, not '$layout'"
[[ $order == host || $order == round ]] || die "--order is host or round, not '$order'"
IFS=, read -ra slots <<<"$layout"
hosts=${#slots[@]}
[ "$hosts" -le 200 ] || die "at most 200 hosts, not $hosts"

unshare --net --mount --uts true 2>/dev/null ||
  { echo "hosts.sh: this machine does not permit network, mount and UTS namespaces, so several hosts cannot be built on it" >&2; exit 77; }

state=$(mktemp -d "${TMPDIR:-/tmp}/hosts.XXXXXX")
network=10.77.0 job=

tear_down() {
  trap - EXIT; trap '' INT TERM HUP
  [ -z "$job" ] || disown "$job" 2>/dev/null
  "$here/hosts.sh" --tear-down "$state"
}
trap tear_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
( setsid "$here/hosts.sh" --guard $$ "$state" </dev/null >/dev/null 2>&1 & )

# A namespace lives as long as the process that holds it.
hold() {
  local name=$1 pid; shift
  unshare --net --mount --uts --propagation private sleep infinity </dev/null >/dev/null 2>&1 &
  pid=$!
  disown "$pid"
  echo "$pid" >"$state/$name.pid"
  until [ "$(readlink "/proc/$pid/exe")" = "$(readlink -f "$(command -v sleep)")" ]; do
    kill -0 "$pid" 2>/dev/null || { echo "hosts.sh: the namespaces of $name could not be made" >&2; exit 70; }
    sleep 0.01
  done
}
inside() { local name=$1; shift; nsenter -t "$(<"$state/$name.pid")" --net --mount --uts -- "$@"; }
must() { "$@" || { echo "hosts.sh: failed: $*" >&2; exit 70; }; }

shape() { [ "$rate" = none ] || must inside "$1" tc qdisc add dev "$2" root tbf rate "$rate" burst "$burst" latency 400ms; }

hold switch
must inside switch ip link add name bridge0 type bridge
must inside switch ip link set bridge0 up
echo "127.0.0.1 localhost" >"$state/hosts"
for ((i = 0; i < hosts; ++i)); do echo "$network.$((i + 1)) host$i" >>"$state/hosts"; done

build_host() {
  local i=$1 name=host$1 pid
  hold "$name"
  pid=$(<"$state/$name.pid")
  cat /proc/sys/kernel/random/uuid >"$state/$name.boot_id"
  mkdir -p "$state/tmp"
  inside "$name" /bin/sh -e <<SCRIPT || { echo "hosts.sh: $name could not be set up" >&2; exit 70; }
hostname $name
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777 tmpfs $state/tmp
mount --bind $state/hosts /etc/hosts
mount --bind $state/$name.boot_id /proc/sys/kernel/random/boot_id
mkdir $state/cgroup-$name
mount --rbind /sys/fs/cgroup $state/cgroup-$name
mount -t sysfs sysfs /sys
mount --move $state/cgroup-$name /sys/fs/cgroup
echo reno >/proc/sys/net/ipv4/tcp_congestion_control 2>/dev/null || true
ip link set lo up
SCRIPT
  must inside switch ip link add name "port$i" type veth peer name eth0 netns "$pid"
  must inside switch ip link set "port$i" master bridge0 up
  must inside "$name" ip address add "$network.$((i + 1))/24" dev eth0
  must inside "$name" ip link set eth0 up
  shape "$name" eth0
  shape switch "port$i"
}
for ((i = 0; i < hosts; ++i)); do build_host "$i"; done

counters() { inside "$1" awk '/eth0:/ { sub(/.*eth0: */, ""); print $1, $2, $9, $10 }' /proc/net/dev; }
for ((i = 0; i < hosts; ++i)); do counters "host$i" >"$state/before$i"; done

export TMPDIR=$state/tmp HOSTS_STATE=$state HOST_COUNT=$hosts
# Set through the environment, so that an mpirun that PROGRAM starts itself reaches all hosts too.
mapping=slot; [ $order = round ] && mapping=node
for ((i = 0; i < hosts; ++i)); do echo "host$i slots=${slots[i]}" >>"$state/hostfile"; done
export OMPI_MCA_orte_default_hostfile=$state/hostfile OMPI_MCA_rmaps_base_mapping_policy=$mapping OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_plm=rsh OMPI_MCA_plm_rsh_agent=$here/enter_host.sh OMPI_MCA_ras=^slurm OMPI_MCA_ess=^slurm
export OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,vader,tcp OMPI_MCA_btl_base_warn_component_unused=0
export OMPI_MCA_btl_tcp_if_include=$network.0/24 OMPI_MCA_oob_tcp_if_include=$network.0/24
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
launcher=(mpirun "${mca[@]}"); [ $first = yes ] && launcher=()

# In a process group of its own, the job hears of a signal to this script from tear_down alone.
set -m
nsenter -t "$(<"$state/host0.pid")" --net --mount --uts "--wd=$PWD" -- "${launcher[@]}" "$@" &
job=$!
set +m
wait $job
result=$?

for ((i = 0; i < hosts; ++i)); do
  # A TCP segment over IPv4 over Ethernet carries 14 + 20 + 32 bytes of headers, time stamps included.
  paste -d' ' "$state/before$i" <(counters "host$i") | awk -v host="host$i" '{
    sent = $7 - $3; packets = $8 - $4
    printf "{\"host\": \"%s\", \"sent_bytes\": %.0f, \"sent_packets\": %.0f, \"received_bytes\": %.0f, \"received_packets\": %.0f, \"payload_sent\": %.0f}\n",
      host, sent, packets, $5 - $1, $6 - $2, sent - 66 * packets }'
done >"${report:-$state/report}"
exit $result
