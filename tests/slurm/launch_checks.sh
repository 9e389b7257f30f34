#!/usr/bin/env bash
# launch_checks.sh TRIREME: inside a Slurm cluster, whether the bootstrap tells a launch that came apart from one that did not.
set -u
trireme=$1
failed=0

expect() {
  local wanted=$1 what=$2
  shift 2
  "$@" >"$CLUSTER_DIR/output" 2>&1
  local status=$?
  [ "$status" = "$wanted" ] && return
  echo "$what: ended with $status, not $wanted"
  cat "$CLUSTER_DIR/output"
  failed=1
}

expect 78 "srun without PMIx" srun -N2 -n4 --mpi=none "$trireme" doctor
grep -q 'srun started 4 tasks without PMIx' "$CLUSTER_DIR/output" || { echo "the refusal does not name srun"; failed=1; }
expect 0 "srun with PMIx" srun -N2 -n4 --ntasks-per-node=2 --mpi=pmix "$trireme" doctor
grep -q '2 nodes × 2 ranks' "$CLUSTER_DIR/output" || { echo "the topology is not 2 × 2"; cat "$CLUSTER_DIR/output"; failed=1; }
expect 78 "one task without PMIx" srun -N1 -n1 --mpi=none "$trireme" doctor
expect 0 "one task" srun -N1 -n1 --mpi=pmix "$trireme" doctor
expect 0 "an allocation without a step" salloc -Q -N2 -n4 "$trireme" doctor

cat >"$CLUSTER_DIR/batch.sh" <<SCRIPT
#!/bin/sh
"$trireme" doctor
echo "status \$?"
SCRIPT
sbatch -Q --wait -N2 -n4 -o "$CLUSTER_DIR/batch.out" "$CLUSTER_DIR/batch.sh" >/dev/null
grep -q '^status 0$' "$CLUSTER_DIR/batch.out" || { echo "one process in a batch script:"; cat "$CLUSTER_DIR/batch.out"; failed=1; }
grep -q 'is UP' "$CLUSTER_DIR/batch.out" || { echo "the doctor does not see slurmctld"; cat "$CLUSTER_DIR/batch.out"; failed=1; }
exit $failed
