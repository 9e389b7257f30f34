#!/usr/bin/env bash
# export_test.sh TRIREME GOLDEN: one rank and three write the same files; a run is exported while it trains and prunes; the folder says what was
# measured and has the base's companions.
set -euo pipefail
trireme=$1 golden=$2
export OMP_NUM_THREADS=1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/base"
cp "$golden"/reference/* "$dir/base/"
echo '{"temperature": 0.6}' >"$dir/base/generation_config.json"
cat >"$dir/job.yaml" <<YAML
base_model: $dir/base
datasets:
  - path: $golden/reference/tokens.npy
    type: tokens
output_dir: $dir/none
sequence_len: 64
max_steps: 6
learning_rate: 0.0003
bf16: false
save_steps: 2
placement: zero3
YAML
fail() { echo "$1"; tail -n 8 "$dir"/*.log; exit 1; }
train() {  # run, ranks, overrides…
  local run=$1 ranks=$2
  shift 2
  "$trireme" launch -n "$ranks" --time-limit 60s --run-folder "$dir/$run" -- train "$dir/job.yaml" "output_dir=$dir/$run" "micro_batch_size=$((4 / ranks))" "$@" >>"$dir/$run.log" 2>&1
}
export_to() { "$trireme" export "$@" >"$dir/export.log" 2>&1 || fail "export $* failed"; }

train run 2 || fail "no run"
export_to "$dir/run" --dtype fp32 --file-size 100K --output "$dir/one"
mpirun --allow-run-as-root --oversubscribe --bind-to none -n 3 "$trireme" export "$dir/run" --dtype fp32 --file-size 100K --output "$dir/three" >"$dir/mpi.log" 2>&1 || fail "three ranks could not export"
diff -r "$dir/one" "$dir/three" || fail "three ranks wrote other files than one"
[ "$(ls "$dir/one"/model-*.safetensors | wc -l)" -gt 3 ] || fail "there were to be several files"
cmp "$dir/one/generation_config.json" "$dir/base/generation_config.json" || fail "the generation config was to be copied"
grep -q '^base_model: ' "$dir/one/README.md" && grep -q '| steps | 6 |' "$dir/one/README.md" || fail "the card does not say what was measured"
train again 1 "base_model=$dir/three" max_steps=1 || fail "what three ranks wrote cannot be read"
export_to "$dir/run" --to safetensors --dtype fp32 --output "$dir/weights"
[ "$(ls "$dir/weights")" = model.safetensors ] || fail "weights alone were asked for"

train busy 2 max_steps=600 save_steps=1 save_total_limit=1 & trainer=$!
until [ -f "$dir/busy/checkpoints/latest" ]; do sleep 0.05; kill -0 "$trainer" 2>/dev/null || fail "the run ended early"; done
exports=0
while kill -0 "$trainer" 2>/dev/null && [ "$exports" -lt 5 ]; do
  export_to "$dir/busy" --dtype fp32 --output "$dir/live-$exports"
  exports=$((exports + 1))
done
[ "$exports" -ge 1 ] || fail "nothing was exported while the run trained"
wait "$trainer" || fail "the run was harmed by the exports"
train live 1 "base_model=$dir/live-0" max_steps=1 || fail "what was exported meanwhile cannot be read"
[ -z "$(ls "$dir/busy" | grep holds || true)" ] || fail "an export left its second names"
echo "one and three ranks write alike; $exports exports while the run trained"
