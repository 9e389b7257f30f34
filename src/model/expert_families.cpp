#include "core/error.h"
#include "model/families.h"

namespace trireme::model {
namespace {

void read_mixtral(const Settings& settings, ModelSpec& spec) {
  constexpr std::int64_t most_experts = 1024;
  spec.experts = settings.count("num_local_experts", 8);
  spec.experts_used = settings.count("num_experts_per_tok", 2);
  if (spec.experts > most_experts || spec.experts_used > spec.experts)
    fail(ExitCode::configuration, "{}: {} of {} experts are not plausible", settings.where(),
         spec.experts_used, spec.experts);
  if (settings.boolean("output_router_logits").value_or(false))
    spec.balance_weight = settings.number("router_aux_loss_coef").value_or(0.001);
}

}  // namespace

Family mixtral() {
  Family family = mistral();
  family.architecture = "MixtralForCausalLM";
  family.model_type = "mixtral";
  TensorNames& names = family.form.names;
  names.gate = names.up = names.down = "";
  names.router = "block_sparse_moe.gate";
  names.expert_gate = "block_sparse_moe.experts.{}.w1";
  names.expert_up = "block_sparse_moe.experts.{}.w3";
  names.expert_down = "block_sparse_moe.experts.{}.w2";
  family.form.norm_epsilon = 1e-5;
  family.default_window = {};
  family.more = &read_mixtral;
  return family;
}

}  // namespace trireme::model
