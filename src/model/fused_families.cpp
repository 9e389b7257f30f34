#include "core/error.h"
#include "model/families.h"

namespace trireme::model {
namespace {

/// Falcon's three forms differ in how many keys there are and where the norms stand.
void read_falcon(const Settings& settings, ModelSpec& spec) {
  const bool grouped = settings.boolean("new_decoder_architecture").value_or(false);
  spec.parallel = settings.boolean("parallel_attn").value_or(true);
  if (!grouped && settings.boolean("multi_query").value_or(true)) spec.key_value_heads = 1;
  const bool two_norms = grouped && settings.integer("num_ln_in_parallel_attn").value_or(2) == 2;
  if (grouped && !spec.parallel)
    fail(ExitCode::configuration, "{}: new_decoder_architecture without parallel_attn is not supported",
         settings.where());
  if (!spec.parallel) return;
  spec.names.attention_norm = two_norms ? "ln_attn" : "input_layernorm";
  spec.names.mlp_norm = two_norms ? "ln_mlp" : "";
}

}  // namespace

Family phi3() {
  Family family = llama();
  family.architecture = "Phi3ForCausalLM";
  family.model_type = "phi3";
  TensorNames& names = family.form.names;
  names.query = names.key = names.value = names.gate = names.up = "";
  names.fused_query_key_value = "self_attn.qkv_proj";
  names.fused_gate_up = "mlp.gate_up_proj";
  family.form.norm_epsilon = 1e-5;
  family.query_key_value_bias = family.attention_out_bias = family.mlp_bias = {};
  family.window = WindowRule::every_layer;
  family.dropouts = {"attention_dropout", "resid_pdrop", "embd_pdrop"};
  return family;
}

Family falcon() {
  Family family;
  family.architecture = "FalconForCausalLM";
  family.model_type = "falcon";
  family.keys.key_value_heads = "num_kv_heads";
  family.keys.head_size = "";
  family.keys.intermediate = "ffn_hidden_size";
  family.keys.norm_epsilon = "layer_norm_epsilon";
  family.keys.nonlinearity = "activation";
  TensorNames& names = family.form.names;
  names.embedding = "transformer.word_embeddings";
  names.block = "transformer.h.{}.";
  names.final_norm = "transformer.ln_f";
  names.head = "lm_head";
  names.attention_norm = "input_layernorm";
  names.mlp_norm = "post_attention_layernorm";
  names.fused_query_key_value = "self_attention.query_key_value";
  names.attention_out = "self_attention.dense";
  names.up = "mlp.dense_h_to_4h";
  names.down = "mlp.dense_4h_to_h";
  family.form.norm = NormKind::layer;
  family.form.norm_epsilon = 1e-5;
  family.form.gated = false;
  family.form.fused_by_head = true;
  family.form.rope.kind = RopeKind::plain;
  family.query_key_value_bias = family.attention_out_bias = family.mlp_bias = {.setting = "bias"};
  family.default_max_positions = 2048;
  family.tied_by_default = true;
  family.default_nonlinearity = "gelu";
  family.required = {{"alibi", "false"}};
  family.dropouts = {"attention_dropout", "hidden_dropout"};
  family.more = &read_falcon;
  return family;
}

}  // namespace trireme::model
