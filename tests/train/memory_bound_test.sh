#!/usr/bin/env bash
# memory_bound_test.sh TRIREME [RANK [RANKS]]: under a limit of a control group, a rank of 128 loads its slices of a model with the shapes of
# Llama-3-70B (140 GB of sparse file), and state is saved and loaded, with little more memory than what is kept. Ends with 77 where
# control groups cannot be made.
set -euo pipefail
trireme=$1 rank=${2:-77} ranks=${3:-128}
export OMP_NUM_THREADS=2 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
dir=$(mktemp -d)
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
  group=/sys/fs/cgroup/trireme-test-$$ limit_file=memory.max
  { echo +memory >/sys/fs/cgroup/cgroup.subtree_control; } 2>/dev/null || true
else
  group=/sys/fs/cgroup/memory/trireme-test-$$ limit_file=memory.limit_in_bytes
fi
trap 'rm -rf "$dir"; rmdir "$group" 2>/dev/null || true' EXIT
if ! mkdir "$group" 2>/dev/null || [ ! -w "$group/$limit_file" ]; then echo "skipped: no control group can be made here"; exit 77; fi
limited() {  # bytes, command…
  echo "$1" >"$group/$limit_file"
  shift
  bash -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$group" "$@"
}

layers=80 hidden=8192 inner=28672 keys=1024 words=128256
mkdir "$dir/model"
cat >"$dir/model/config.json" <<JSON
{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": $hidden, "intermediate_size": $inner, "num_hidden_layers": $layers,
 "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": $words, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
 "max_position_embeddings": 8192, "hidden_act": "silu", "tie_word_embeddings": false, "torch_dtype": "bfloat16"}
JSON
at=0 header="" values=0
tensor() {  # name, rows, columns or nothing
  local elements=$(($2 * ${3:-1}))
  header+="\"$1\":{\"dtype\":\"BF16\",\"shape\":[$2${3:+,$3}],\"data_offsets\":[$at,$((at + 2 * elements))]},"
  at=$((at + 2 * elements)) values=$((values + elements))
}
tensor model.embed_tokens.weight $words $hidden
for ((i = 0; i < layers; ++i)); do
  layer=model.layers.$i
  tensor "$layer.self_attn.q_proj.weight" $hidden $hidden
  tensor "$layer.self_attn.k_proj.weight" $keys $hidden
  tensor "$layer.self_attn.v_proj.weight" $keys $hidden
  tensor "$layer.self_attn.o_proj.weight" $hidden $hidden
  tensor "$layer.mlp.gate_proj.weight" $inner $hidden
  tensor "$layer.mlp.up_proj.weight" $inner $hidden
  tensor "$layer.mlp.down_proj.weight" $hidden $inner
  tensor "$layer.input_layernorm.weight" $hidden
  tensor "$layer.post_attention_layernorm.weight" $hidden
done
tensor model.norm.weight $hidden
tensor lm_head.weight $words $hidden
header="{${header%,}}"
while [ $((${#header} % 8)) != 0 ]; do header+=" "; done
{
  for ((i = 0; i < 8; ++i)); do printf "\\x$(printf %02x $((${#header} >> (8 * i) & 255)))"; done
  printf %s "$header"
} >"$dir/model/model.safetensors"
truncate -s $((8 + ${#header} + at)) "$dir/model/model.safetensors"

beside=$((192 << 20))
shard=$((values * 4 / ranks))
limited $((shard + beside)) "$trireme" bench rank-load "$dir/model" --rank "$rank" --ranks "$ranks" ||
  { echo "rank $rank of $ranks did not load its $((shard >> 20)) MiB with $((beside >> 20)) MiB beside them"; exit 1; }
# State, the copy that is written while training goes on, and what saving and loading need beside them.
size=$((256 << 20))
limited $((2 * size + beside)) "$trireme" bench checkpoint "$dir" --size 256M --repeats 2 >"$dir/bench.log" ||
  { cat "$dir/bench.log"; echo "state of $((size >> 20)) MiB and its copy were not saved with $((beside >> 20)) MiB beside them"; exit 1; }
echo "loaded within $((shard >> 20)) + $((beside >> 20)) MiB, saved within $((2 * size >> 20)) + $((beside >> 20)) MiB"
