#!/bin/bash
# What ssh does between machines, for the hosts that hosts.sh made: enter_host.sh HOST COMMAND WORD...
set -u
host=$1; shift
pid=$(<"$HOSTS_STATE/$host.pid") || { echo "enter_host.sh: there is no host $host" >&2; exit 255; }
exec nsenter -t "$pid" --net --mount --uts "--wd=$PWD" -- /bin/sh -c "$*"
