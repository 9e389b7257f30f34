#!/usr/bin/env bash
# mappings_test.sh TRIREME GOLDEN: between its second step and its last a run on two ranks maps no memory, whatever its placement: rings,
# collectives, gradients and activations live in what the first steps took. A run that also saves there is seen to map some, so the
# watcher sees. Ends with 77 where strace is missing or may not watch.
. "${0%/*}/runs.sh"
strace -qq -o "$dir/may" true 2>/dev/null || { echo "skipped: strace cannot watch a process here"; exit 77; }
steps=8
reference_job <<YAML
micro_batch_size: 16
max_steps: $steps
save_steps: 0
learning_rate: 0.001
bf16: true
YAML

cat >"$dir/watched" <<SH
#!/usr/bin/env bash
exec strace -f -qq -ttt -s 24 -e signal=none -e trace=mmap,mremap,write -o "$dir/calls.\$OMPI_COMM_WORLD_RANK" "$trireme" "\$@"
SH
chmod +x "$dir/watched"
watch() {  # run, overrides…
  local run=$1
  shift
  rm -f "$dir"/calls.*
  mpirun --allow-run-as-root --oversubscribe --mca btl_base_warn_component_unused 0 -n 2 "$dir/watched" train "$dir/job.yaml" \
    "output_dir=$dir/$run" "$@" >"$dir/$run.log" 2>&1 || fail "$run could not be trained"
}
written() { awk -v record="{\\\\\\\"step\\\\\\\": $1," 'index($0, record) { print $2; exit }' "$dir/calls.0"; }
# What a rank mapped from rank 0's record of step 2 to that of the last, into `mapped`. A thread's first allocation reserves addresses,
# without memory, whenever it comes.
see_mapped() {  # rank
  local begin end
  begin=$(written 2) end=$(written $steps)
  [ -n "$begin" ] && [ -n "$end" ] || fail "the records of steps 2 and $steps were not seen"
  mapped=$(awk -v begin="$begin" -v end="$end" \
    '/ (mmap|mremap)\(/ && !/PROT_NONE.*MAP_NORESERVE/ && $2 >= begin && $2 < end' "$dir/calls.$1")
}

watch saving placement=zero3 save_steps=4
see_mapped 0
[ -n "$mapped" ] || fail "a run that saves was not seen to map memory"
for placement in ddp zero2 zero3 hsdp; do
  watch "$placement" "placement=$placement"
  for rank in 0 1; do
    see_mapped $rank
    [ -z "$mapped" ] || { head <<<"$mapped"; fail "$placement: rank $rank mapped memory after step 2"; }
  done
done
