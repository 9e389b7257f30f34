#!/usr/bin/env bash
# export_test.sh TRIREME GOLDEN: one rank and three write the same files; a run is exported while it trains and prunes; the folder says what was
# measured and has the base's companions.
. "${0%/*}/runs.sh"
mkdir "$dir/base"
cp "$golden"/reference/* "$dir/base/"
echo '{"temperature": 0.6}' >"$dir/base/generation_config.json"
base=$dir/base
reference_job <<YAML
output_dir: $dir/none
max_steps: 6
learning_rate: 0.0003
bf16: false
save_steps: 2
placement: zero3
YAML
rows=4
export_to() { "$trireme" export "$@" >"$dir/export.log" 2>&1 || fail "export $* failed"; }

try_train run 2 || fail "no run"
export_to "$dir/run" --dtype fp32 --file-size 100K --output "$dir/one"
mpirun --allow-run-as-root --oversubscribe --bind-to none -n 3 "$trireme" export "$dir/run" --dtype fp32 --file-size 100K --output "$dir/three" >"$dir/mpi.log" 2>&1 || fail "three ranks could not export"
diff -r "$dir/one" "$dir/three" || fail "three ranks wrote other files than one"
[ "$(ls "$dir/one"/model-*.safetensors | wc -l)" -gt 3 ] || fail "there were to be several files"
cmp "$dir/one/generation_config.json" "$dir/base/generation_config.json" || fail "the generation config was to be copied"
grep -q '^base_model: ' "$dir/one/README.md" && grep -q '| steps | 6 |' "$dir/one/README.md" || fail "the card does not say what was measured"
try_train again 1 "base_model=$dir/three" max_steps=1 || fail "what three ranks wrote cannot be read"
export_to "$dir/run" --to safetensors --dtype fp32 --output "$dir/weights"
[ "$(ls "$dir/weights")" = model.safetensors ] || fail "weights alone were asked for"

try_train busy 2 max_steps=600 save_steps=1 save_total_limit=1 & trainer=$!
until [ -f "$dir/busy/checkpoints/latest" ]; do sleep 0.05; kill -0 "$trainer" 2>/dev/null || fail "the run ended early"; done
exports=0
while kill -0 "$trainer" 2>/dev/null && [ "$exports" -lt 5 ]; do
  export_to "$dir/busy" --dtype fp32 --output "$dir/live-$exports"
  exports=$((exports + 1))
done
[ "$exports" -ge 1 ] || fail "nothing was exported while the run trained"
wait "$trainer" || fail "the run was harmed by the exports"
try_train live 1 "base_model=$dir/live-0" max_steps=1 || fail "what was exported meanwhile cannot be read"
[ -z "$(ls "$dir/busy" | grep holds || true)" ] || fail "an export left its second names"
echo "one and three ranks write alike; $exports exports while the run trained"
