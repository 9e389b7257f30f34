#include <cmath>

#include "core/error.h"
#include "model/families.h"
#include "model/rope_settings.h"

namespace trireme::model {
namespace {

/// Absent means the default, null means none.
double cap(const Settings& settings, std::string_view key, double otherwise) {
  const double value = settings.number(key).value_or(settings.given(key) ? 0.0 : otherwise);
  if (!(value >= 0)) fail(ExitCode::configuration, "{}: {} must be above 0", settings.where(), key);
  return value;
}

void read_gemma(const Settings& settings, ModelSpec& spec, double attention_cap, double logit_cap) {
  const double scalar = settings.number("query_pre_attn_scalar").value_or(256);
  if (!(scalar > 0))
    fail(ExitCode::configuration, "{}: query_pre_attn_scalar must be above 0", settings.where());
  spec.attention_scale = 1.0 / std::sqrt(scalar);
  spec.embedding_scale = std::sqrt(static_cast<double>(spec.hidden));
  spec.attention_cap = cap(settings, "attn_logit_softcapping", attention_cap);
  spec.logit_cap = cap(settings, "final_logit_softcapping", logit_cap);
}

Family gemma() {
  Family family = llama();
  family.keys.nonlinearity = "hidden_activation";
  family.default_nonlinearity = "gelu_pytorch_tanh";
  family.form.norm = NormKind::rms_plus_one;
  family.form.names.after_attention_norm = "post_attention_layernorm";
  family.form.names.mlp_norm = "pre_feedforward_layernorm";
  family.form.names.after_mlp_norm = "post_feedforward_layernorm";
  family.mlp_bias = {};
  family.window = WindowRule::every_nth_full;
  family.default_window = 4096;
  family.default_head_size = 256;
  family.tied_by_default = true;
  family.required = {{"use_bidirectional_attention", "false"}};
  return family;
}

}  // namespace

Family gemma2() {
  Family family = gemma();
  family.architecture = "Gemma2ForCausalLM";
  family.model_type = "gemma2";
  family.window_pattern = 2;
  family.more = [](const Settings& settings, ModelSpec& spec) { read_gemma(settings, spec, 50, 30); };
  return family;
}

Family gemma3() {
  Family family = gemma();
  family.architecture = "Gemma3ForCausalLM";
  family.model_type = "gemma3_text";
  family.window_pattern = 6;
  family.form.query_key_norm = true;
  family.form.rope.theta = 1e6;
  family.more = [](const Settings& settings, ModelSpec& spec) {
    read_gemma(settings, spec, 0, 0);
    spec.window_rope = parse_window_rope(settings, spec.max_positions);
  };
  return family;
}

}  // namespace trireme::model
