# shellcheck shell=bash
# gpu_runs.sh: what tests over GPUs made of host memory begin with, as `. "${0%/*}/gpu_runs.sh"`. Their words are TRIREME GOLDEN PLUGIN STAND_INS.
. "${0%/*}/runs.sh"
plugin=$3 stand_ins=$4
mkdir "$dir/libraries"
ln -s "$stand_ins"/* "$dir/libraries"
# LibTorch's GPU library is looked for beside its other half.
ldd "$trireme" | awk '$3 ~ /^\// && $3 !~ /^\/(usr\/)?lib/ { print $3 }' | xargs -I{} ln -s {} "$dir/libraries"
gpus() { TRIREME_CUDA_PLUGIN=$plugin LD_LIBRARY_PATH=$dir/libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$@"; }

well_used() {  # what was said to a log
  ! grep '^misuse' "$1" || fail "$1: something was done to CUDA that must not be"
}
on_gpus() {  # run, ranks, overrides…
  gpus train "$@" device=cuda
  grep -q 'computes on Host memory of compute capability 9.0' "$dir/$1.log" || fail "$1 did not compute on a GPU"
  well_used "$dir/$1.log"
}
same() {  # run, run, steps, relative tolerance
  paste <(curve "$1") <(curve "$2") | awk -v steps="${3:-10}" -v limit="${4:-1e-5}" '
    $1 != $3 { exit 1 } { d = ($2 - $4) / $2; if (d < 0) d = -d; if (d > worst) worst = d } END { exit !(NR == steps && worst <= limit) }' ||
    fail "$1 and $2 have different curves"
}
