#!/usr/bin/env bash
# checkpoint_commands_test.sh TRIREME GOLDEN: each of `trireme checkpoint list|show|verify|diff|convert|prune` on checkpoints that training made.
. "${0%/*}/runs.sh"
reference_job <<YAML
output_dir: $dir/none
max_steps: 6
learning_rate: 0.0003
bf16: false
save_steps: 2
save_total_limit: 9
placement: zero3
YAML
rows=4
checkpoint() { "$trireme" checkpoint "$@" >"$dir/out.log" 2>&1; }
ends_with() {  # code, words…
  local wanted=$1 status=0
  shift
  checkpoint "$@" || status=$?
  [ "$status" = "$wanted" ] || fail "checkpoint $* ended with $status instead of $wanted"
}
says() { grep -q -e "$1" "$dir/out.log" || fail "\"$1\" was not said"; }

train one 2
train same 2
train other 1

ends_with 0 list "$dir/one"
[ "$(grep -c 'step-0000000[246]-epoch' "$dir/out.log")" = 3 ] || fail "three checkpoints were to be listed"
ends_with 0 ls "$dir/one" --json
[ "$(grep -c '"step":' "$dir/out.log")" = 3 ] || fail "three lines of JSON were to be written"
ends_with 0 show "$dir/one" --name 4
says 'step  *4$'
says 'optimizer/exp_avg/'
ends_with 78 show "$dir/one" --name 5
says 'holds no checkpoint 5'
ends_with 78 list "$dir/nowhere"
ends_with 0 verify "$dir/one"
[ "$(grep -c ': sound' "$dir/out.log")" = 3 ] || fail "three sound checkpoints were expected"

ends_with 0 diff "$dir/one" "$dir/same"
says ' 0 different; 0 '
ends_with 1 diff "$dir/one/checkpoints/$(ls "$dir/one/checkpoints" | grep step | sed -n 2p)" "$dir/one"
says '^step  *4 and 6'
says 'elements differ, the first at'
ends_with 1 diff "$dir/one" "$dir/same/checkpoints/$(ls "$dir/same/checkpoints" | grep step | head -n 1)" --json
says '"difference":"other values"'

ends_with 0 convert "$dir/one" "$dir/whole.h5"
ends_with 64 convert "$dir/one" "$dir/whole.h5"
says 'is there already'
if command -v h5dump >/dev/null; then
  h5dump -H -d /model/model.norm.weight "$dir/whole.h5" | grep -q H5T_IEEE_F32LE || fail "h5dump does not show a tensor of the single file"
fi
ends_with 0 convert "$dir/one" "$dir/whole.safetensors" --to safetensors
grep -a -q 'optimizer/exp_avg_sq/' "$dir/whole.safetensors" || fail "the safetensors file lacks optimizer state"
for files in 1 5; do
  ends_with 0 convert "$dir/one" "$dir/cut-$files" --to checkpoint --files "$files"
  [ "$(ls "$dir/cut-$files"/checkpoints/step-*/shard-*.h5 | wc -l)" = "$files" ] || fail "$files files were to be written"
  ends_with 0 verify "$dir/cut-$files"
  ends_with 0 diff "$dir/one" "$dir/cut-$files"
done
# A converted checkpoint is gone on from, and so to the end of a run without it.
ends_with 0 convert "$dir/one" "$dir/on" --to checkpoint --files 3 --name 4
train on 2
ends_with 0 diff "$dir/one" "$dir/on"

cp "$dir/one/checkpoints/latest" "$dir/latest"
printf 'step-00000007-epoch-0.50-samples-28\n' >"$dir/one/checkpoints/latest"
ends_with 76 verify "$dir/one"
says '^latest: is damaged'
cp "$dir/latest" "$dir/one/checkpoints/latest"

victim=$(ls "$dir/one/checkpoints"/step-00000004-*/shard-00001.h5)
printf 'x' | dd of="$victim" bs=1 seek=5000 conv=notrunc status=none
ends_with 76 verify "$dir/one"
says 'shard-00001.h5: tensor .* is damaged between bytes'
[ "$(grep -c ': sound' "$dir/out.log")" = 2 ] || fail "the other two are sound"
ends_with 0 verify "$dir/one" --name 6
ends_with 76 prune "$dir/one" --keep-last 2
[ "$(ls -d "$dir/one"/checkpoints/step-* | wc -l)" = 3 ] || fail "nothing was to be removed beside a damaged one"
ends_with 0 prune "$dir/one" --keep-last 1 --keep-every 3
says '2 removed, 1 kept'
ends_with 0 prune "$dir/same" --keep-last 1 --keep-every 4
says '1 removed, 2 kept'
ends_with 64 convert "$dir/one"
echo "list, show, verify, diff, convert and prune do as they say"
