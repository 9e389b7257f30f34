#!/usr/bin/env bash
# beyond_memory_test.sh TRIREME [LAYERS [STEPS]]: a model whose parameters, gradients, master weights and moments are four times as large as
# the limit of a control group trains there with state and parameters on NVMe; with the state in memory, or with less room than
# its gradients or a checkpoint beside its steps need, the same job is refused before it takes any. Ends with 77 where control groups cannot be made.
set -euo pipefail
trireme=$1 layers=${2:-170} steps=${3:-2}
export OMP_NUM_THREADS=2 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
dir=$(mktemp -d)
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/trireme-beyond-$$ limit_file=memory.max most_file=memory.peak
  { echo +memory >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
else
  group=/sys/fs/cgroup/memory/trireme-beyond-$$ limit_file=memory.limit_in_bytes most_file=memory.max_usage_in_bytes
fi
trap 'rm -rf "$dir"; rmdir "$group" 2>/dev/null || true' EXIT
if ! mkdir "$group" 2>/dev/null || [ ! -w "$group/$limit_file" ]; then echo "skipped: no control group can be made here"; exit 77; fi

hidden=512 inner=1536 words=1024
parameters=$((layers * (4 * hidden * hidden + 3 * hidden * inner + 2 * hidden) + 2 * words * hidden + hidden))
# bf16 parameters, fp32 gradients, master weights and two moments.
state=$((18 * parameters)) limit=$((18 * parameters / 4))
if [ "$(df --output=avail -B1 "$dir" | tail -n 1)" -lt $((27 * parameters)) ]; then echo "skipped: too little room in $dir"; exit 77; fi
mkdir "$dir/model"
cat >"$dir/model/config.json" <<JSON
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": $hidden, "intermediate_size": $inner, "num_hidden_layers": $layers,
 "num_attention_heads": 8, "num_key_value_heads": 8, "vocab_size": $words, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
 "max_position_embeddings": 256, "hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
JSON
python3 - "$dir/tokens.npy" "$words" <<'PY'
import struct, sys
words, count = int(sys.argv[2]), 65536
header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (%d,), }" % count
header += b" " * (-(len(header) + 11) % 64) + b"\n"
with open(sys.argv[1], "wb") as out:
    out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    out.write(b"".join(struct.pack("<i", (i * i * 7 + i // 5) % words) for i in range(count)))
PY
cat >"$dir/job.yaml" <<YAML
base_model: $dir/model
reinit_weights: true
datasets:
  - path: $dir/tokens.npy
    type: tokens
output_dir: $dir/run
sequence_len: 64
micro_batch_size: 1
gradient_accumulation_steps: 1
gradient_checkpointing: true
max_steps: $steps
save_strategy: "no"
optimizer: adamw_torch
learning_rate: 0.0003
max_grad_norm: 1
bf16: true
placement: zero_infinity
offload:
  nvme_paths: $dir/drive
  part_elements: 262144
  pin: false
YAML
limited() {  # bytes, command…
  echo "$1" >"$group/$limit_file"
  shift
  bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$@"
}
fail() { echo "$1"; tail -n 15 "$dir"/*.log; exit 1; }
mib() { echo "$(($1 >> 20)) MiB"; }

refused() {  # bytes, run, overrides…
  local bytes=$1 run=$2 status=0 most
  shift 2
  limited "$bytes" "$trireme" train "$dir/job.yaml" "output_dir=$dir/$run" "$@" >"$dir/$run.log" 2>&1 || status=$?
  [ "$status" = 78 ] && grep -q 'control group has' "$dir/$run.log" || fail "$run: not refused, ended with $status"
  most=$(cat "$group/$most_file")
  [ "$most" -lt $((limit / 4)) ] || fail "$run: refused only after $(mib "$most")"
}
refused "$limit" state-on-the-host placement=zero_offload
refused "$limit" state-on-the-device placement=ddp
refused $((limit * 3 / 4)) gradients-too-large
refused $((limit - (150 << 20))) no-room-for-a-checkpoint

limited "$limit" "$trireme" train "$dir/job.yaml" >"$dir/run.log" 2>&1 || fail "did not train within $(mib "$limit")"
[ "$(wc -l <"$dir/run/metrics.jsonl")" = "$steps" ] || fail "not $steps steps"
most=$(cat "$group/$most_file")
[ "$most" -le "$limit" ] || fail "$(mib "$most") were in use, more than $(mib "$limit")"
cat "$dir/run/metrics.jsonl"
echo "$parameters parameters, $(mib "$state") of state, trained within $(mib "$limit")"
