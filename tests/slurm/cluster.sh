#!/usr/bin/env bash
# cluster.sh [--nodes N] [--cpus C] -- COMMAND…: a private Slurm (munge, slurmctld and N slurmd, each a host of its own) on this machine;
# runs COMMAND with SLURM_CONF set, then takes everything down again. Ends with COMMAND's status, or 77 where the machine forbids it.
# A node's slurmd has its own mount and UTS namespace: two nodes' shared-memory segments and hostnames must not meet.
# CLUSTER_DIR holds the pids (slurmd.n0.pid, …) and logs for tests that break things.
set -euo pipefail
nodes=2 cpus=4
while [ $# -gt 0 ]; do
  case $1 in
    --nodes) nodes=$2; shift 2 ;;
    --cpus) cpus=$2; shift 2 ;;
    --) shift; break ;;
    *) echo "cluster.sh: unknown option $1" >&2; exit 64 ;;
  esac
done
[ $# -gt 0 ] || { echo "cluster.sh: name a command after --" >&2; exit 64; }
[ "$(id -u)" = 0 ] || { echo "cluster.sh: only root can start slurmd: skipped"; exit 77; }
for program in munged slurmctld slurmd srun; do
  command -v $program >/dev/null || PATH=$PATH:/usr/sbin command -v $program >/dev/null || { echo "cluster.sh: no $program here: skipped"; exit 77; }
done
export PATH=$PATH:/usr/sbin
unshare -m -u true 2>/dev/null || { echo "cluster.sh: no permission for namespaces: skipped"; exit 77; }

dir=$(mktemp -d /tmp/trireme-slurm.XXXXXX)
chmod 755 "$dir"
export CLUSTER_DIR=$dir SLURM_CONF=$dir/slurm.conf
unset "${!SLURM_@}" 2>/dev/null || true
export SLURM_CONF=$dir/slurm.conf

stop() {
  trap - EXIT INT TERM
  scancel --quiet --user root 2>/dev/null || true
  sleep 0.2
  local file
  for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [ -f "$file" ] && kill "$(cat "$file")" 2>/dev/null || true
  done
  sleep 0.3
  # Whatever was started in this cluster carries its folder's name.
  for file in /proc/[0-9]*/environ; do
    if grep -qzxF "CLUSTER_DIR=$dir" "$file" 2>/dev/null && [ "$file" != /proc/$$/environ ]; then file=${file#/proc/}; kill -9 "${file%/environ}" 2>/dev/null || true; fi
  done
  for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [ -f "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null || true
  done
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

# Below the range from which the system gives ports to connections, so that none takes it before the daemon does.
free_port() {
  python3 -c '
import random, socket
def free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0
print(next(port for port in random.sample(range(10000, 32000), 1000) if free(port)))'
}

mkdir -p "$dir"/{munge,state,log}
chmod 700 "$dir/munge"
head -c 1024 /dev/urandom >"$dir/munge/key"
chmod 400 "$dir/munge/key"
munged --force --key-file="$dir/munge/key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
  --log-file="$dir/log/munged" --seed-file="$dir/munge/seed" --num-threads=2 2>/dev/null

{
  cat <<CONF
ClusterName=trireme
SlurmctldHost=$(hostname)(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd.%n
TmpFS=$dir/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MpiDefault=pmix
ReturnToService=2
JobRequeue=1
SlurmctldTimeout=10
SlurmdTimeout=10
KillWait=5
MinJobAge=3600
InactiveLimit=0
SchedulerParameters=sched_interval=1,batch_sched_delay=0
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobs
AccountingStorageType=accounting_storage/none
CONF
  names=()
  for ((i = 0; i < nodes; i++)); do
    names+=("n$i")
    echo "NodeName=n$i NodeHostname=n$i NodeAddr=127.0.0.1 Port=$(free_port) CPUs=$cpus RealMemory=1000 State=UNKNOWN"
    mkdir -p "$dir/spool.n$i" "$dir/tmp.n$i"
  done
  echo "PartitionName=all Nodes=$(IFS=,; echo "${names[*]}") Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO"
} >"$dir/slurm.conf"

cat >"$dir/start-node" <<'NODE'
#!/bin/sh
# start-node NAME: slurmd in a host of its own
hostname "$1"
mount -t tmpfs tmpfs /dev/shm
export SLURM_CONF=$CLUSTER_DIR/slurm.conf
exec slurmd -N "$1" -D
NODE
chmod +x "$dir/start-node"

slurmctld -i >/dev/null 2>&1
for ((i = 0; i < nodes; i++)); do
  setsid unshare -m -u "$dir/start-node" "n$i" >"$dir/log/start.n$i" 2>&1 </dev/null &
done
for ((try = 0; try < 100; try++)); do
  [ "$(sinfo -h -o '%T %D' 2>/dev/null | awk '$1 == "idle" { n += $2 } END { print n + 0 }')" = "$nodes" ] && break
  sleep 0.1
done
if [ "$try" = 100 ]; then
  echo "cluster.sh: the nodes did not come up:" >&2
  sinfo >&2 || true
  tail -n 5 "$dir"/log/slurm* >&2 || true
  exit 1
fi
"$@"
