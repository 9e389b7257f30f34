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
written() { grep -F "{\\\"step\\\": $1," "$dir/calls.0" | head -n 1 | cut -d ' ' -f 2; }
# A thread's first allocation reserves addresses, without memory, whenever it comes.
mapped() {  # rank: what it mapped from rank 0's record of step 2 to that of the last
  awk -v begin="$(written 2)" -v end="$(written $steps)" 'begin == "" || end == "" { exit 1 }
    / (mmap|mremap)\(/ && !/PROT_NONE.*MAP_NORESERVE/ && $2 >= begin && $2 < end' "$dir/calls.$1" || fail "the records of steps 2 and $steps were not seen"
}

watch saving placement=zero3 save_steps=4
[ -n "$(mapped 0)" ] || fail "a run that saves was not seen to map memory"
for placement in ddp zero2 zero3 hsdp; do
  watch "$placement" "placement=$placement"
  for rank in 0 1; do
    [ -z "$(mapped $rank)" ] || { mapped $rank | head; fail "$placement: rank $rank mapped memory after step 2"; }
  done
done
