#include "model/families.h"

namespace trireme::model {
namespace {

TensorNames llama_names() {
  return {.embedding = "model.embed_tokens",
          .positions = "",
          .block = "model.layers.{}.",
          .final_norm = "model.norm",
          .head = "lm_head",
          .attention_norm = "input_layernorm",
          .mlp_norm = "post_attention_layernorm",
          .query_norm = "self_attn.q_norm",
          .key_norm = "self_attn.k_norm",
          .after_attention_norm = "",
          .after_mlp_norm = "",
          .query = "self_attn.q_proj",
          .key = "self_attn.k_proj",
          .value = "self_attn.v_proj",
          .fused_query_key_value = "",
          .attention_out = "self_attn.o_proj",
          .gate = "mlp.gate_proj",
          .up = "mlp.up_proj",
          .fused_gate_up = "",
          .down = "mlp.down_proj",
          .router = "",
          .expert_gate = "",
          .expert_up = "",
          .expert_down = ""};
}

TensorNames gpt2_names() {
  return {.embedding = "transformer.wte",
          .positions = "transformer.wpe",
          .block = "transformer.h.{}.",
          .final_norm = "transformer.ln_f",
          .head = "lm_head",
          .attention_norm = "ln_1",
          .mlp_norm = "ln_2",
          .query_norm = "",
          .key_norm = "",
          .after_attention_norm = "",
          .after_mlp_norm = "",
          .query = "",
          .key = "",
          .value = "",
          .fused_query_key_value = "attn.c_attn",
          .attention_out = "attn.c_proj",
          .gate = "",
          .up = "mlp.c_fc",
          .fused_gate_up = "",
          .down = "mlp.c_proj",
          .router = "",
          .expert_gate = "",
          .expert_up = "",
          .expert_down = ""};
}

Family qwen2() {
  Family family = llama();
  family.architecture = "Qwen2ForCausalLM";
  family.model_type = "qwen2";
  family.query_key_value_bias = {.fixed = true};
  family.attention_out_bias = family.mlp_bias = {};
  family.window = WindowRule::behind_a_switch;
  family.default_window = 4096;
  return family;
}

Family qwen3() {
  Family family = qwen2();
  family.architecture = "Qwen3ForCausalLM";
  family.model_type = "qwen3";
  family.query_key_value_bias = family.attention_out_bias = {.setting = "attention_bias"};
  family.form.query_key_norm = true;
  family.default_head_size = 128;
  return family;
}

Family gpt2() {
  Family family;
  family.architecture = "GPT2LMHeadModel";
  family.model_type = "gpt2";
  family.keys = {.hidden = "n_embd",
                 .layers = "n_layer",
                 .heads = "n_head",
                 .key_value_heads = "",
                 .head_size = "",
                 .intermediate = "n_inner",
                 .max_positions = "n_positions",
                 .norm_epsilon = "layer_norm_epsilon",
                 .nonlinearity = "activation_function"};
  family.form.names = gpt2_names();
  family.form.norm = NormKind::layer;
  family.form.norm_epsilon = 1e-5;
  family.form.gated = false;
  family.form.learned_positions = true;
  family.form.transposed = true;
  family.query_key_value_bias = family.attention_out_bias = family.mlp_bias = {.fixed = true};
  family.tied_by_default = true;
  family.default_nonlinearity = "gelu_new";
  family.required = {{"scale_attn_weights", "true"},
                     {"scale_attn_by_inverse_layer_idx", "false"},
                     {"reorder_and_upcast_attn", "false"},
                     {"add_cross_attention", "false"}};
  family.dropouts = {"attn_pdrop", "embd_pdrop", "resid_pdrop"};
  return family;
}

}  // namespace

Family llama() {
  Family family;
  family.architecture = "LlamaForCausalLM";
  family.model_type = "llama";
  family.form.names = llama_names();
  family.form.rope.kind = RopeKind::plain;
  family.query_key_value_bias = family.attention_out_bias = {.setting = "attention_bias"};
  family.mlp_bias = {.setting = "mlp_bias"};
  return family;
}

Family mistral() {
  Family family = llama();
  family.architecture = "MistralForCausalLM";
  family.model_type = "mistral";
  family.query_key_value_bias = family.attention_out_bias = family.mlp_bias = {};
  family.window = WindowRule::every_layer;
  family.default_window = 4096;
  return family;
}

const std::vector<Family>& families() {
  static const std::vector<Family> table{llama(),  mistral(), qwen2(), qwen3(),  gpt2(),
                                         gemma2(), gemma3(),  phi3(),  falcon(), mixtral()};
  return table;
}

}  // namespace trireme::model
