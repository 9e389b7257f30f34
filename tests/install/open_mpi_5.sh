#!/usr/bin/env bash
# open_mpi_5.sh BUNDLE_SCRIPT BUILD WORK: the conformance tests on 2 and 4 ranks and a checked bench, compiled against the system's Open MPI
# and started with the bundle's, which is Open MPI 5 from its wheel.
set -euo pipefail
bundle_script=$1 build=$2 work=$3
site=${TRIREME_CACHE:-$HOME/.cache/trireme}/site

rm -rf "$work"
mkdir -p "$work"
"$bundle_script" "$build" "$site" "$work/bundle"
export OPAL_PREFIX=$work/bundle OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
libraries=$work/bundle/lib:$work/bundle/lib/openmpi:$site/torch/lib
start() { LD_LIBRARY_PATH=$libraries "$work/bundle/bin/mpirun" --oversubscribe --bind-to none "$@"; }

start --version | grep -q ' 5\.' || { echo "the bundle's mpirun is not Open MPI 5"; exit 1; }
LD_LIBRARY_PATH=$libraries ldd "$build/bin/conformance_mpi" | grep "libmpi\.so.*$work" || { echo "the tests would load another MPI"; exit 1; }
for ranks in 2 4; do start -n $ranks "$build/bin/conformance_mpi" --gtest_brief=1; done
start -n 2 "$build/bin/trireme" bench comm -c -b 1K -e 1M -f 32 --backend shm,mpi,openmpi
rm -rf "$work"
