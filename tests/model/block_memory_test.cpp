#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "model/config.h"
#include "model/work.h"
#include "sharding/tensor_memory.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

constexpr std::int64_t rows = 2, length = 128, vocabulary = 96;
/// What the counter adds to each tensor, and how many a block keeps at most.
constexpr double header = 64, tensors = 30;

enum class Tuning : std::uint8_t { full, lora, qlora };

struct Form {
  const char *name, *family, *more;
  /// How much of what a block keeps depends on which experts its positions go to.
  double unforeseen = 0;
};

/// The first form has keys for every query's head, the others for half of them.
const Form forms[] = {
    {"heads_alike", "LlamaForCausalLM", R"("num_key_value_heads": 4)"},
    {"grouped", "LlamaForCausalLM", R"("num_key_value_heads": 2)"},
    {"biases", "LlamaForCausalLM", R"("num_key_value_heads": 2, "attention_bias": true, "mlp_bias": true)"},
    {"tied", "LlamaForCausalLM", R"("num_key_value_heads": 2, "tie_word_embeddings": true)"},
    {"window", "MistralForCausalLM", R"("num_key_value_heads": 2, "sliding_window": 50)"},
    {"tiny_window", "MistralForCausalLM", R"("num_key_value_heads": 2, "sliding_window": 7)"},
    {"query_key_norm", "Qwen3ForCausalLM", R"("num_key_value_heads": 2)"},
    {"capped", "Gemma2ForCausalLM", R"("num_key_value_heads": 2, "sliding_window": 50)"},
    {"norms_after", "Gemma3ForCausalLM", R"("num_key_value_heads": 2, "sliding_window": 50)"},
    {"fused", "Phi3ForCausalLM", R"("num_key_value_heads": 2)"},
    {"layer_norms", "GPT2LMHeadModel", R"("n_embd": 64, "n_head": 4, "n_layer": 2, "n_positions": 512)"},
    {"parallel", "FalconForCausalLM", R"("new_decoder_architecture": true, "num_kv_heads": 2)"},
    {"experts", "MixtralForCausalLM", R"("num_key_value_heads": 2, "num_local_experts": 3)", 0.01},
};

DType ours(at::ScalarType type) {
  return type == at::kHalf ? DType::f16 : type == at::kBFloat16 ? DType::bf16 : DType::f32;
}

class BlockMemory : public ::testing::TestWithParam<std::tuple<Form, at::ScalarType, Tuning>> {
 protected:
  void SetUp() override {
    sharding::keep_tensor_memory();
    const auto& [form, type, tuning] = GetParam();
    const std::string common = R"("hidden_size": 64, "num_attention_heads": 4, "head_dim": 32,
"intermediate_size": 176, "num_hidden_layers": 2, "vocab_size": 96, "max_position_embeddings": 512, )";
    spec = parse_config(fmt::format(R"({{"architectures": ["{}"], {}{}}})", form.family, common, form.more),
                        "config.json");
    if (tuning != Tuning::full) lora.emplace().four_bit_base = tuning == Tuning::qlora;
    whole = testing::make_whole(build_model(spec, type, lora), type,
                                [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.05); });
    context.labels = context.tokens = at::randint(vocabulary, {rows, length}, at::kLong);
    context.positions = testing::row_positions(context.tokens);
    context.gradients = c10::make_intrusive<sharding::GradientSink>();
    input = at::randn({rows, length, spec.hidden}).to(type).requires_grad_(true);
  }

  /// As an engine hands them over: what is frozen has no gradient, and four bits are bytes.
  sharding::Weights weights_of(const sharding::Unit& unit) const {
    sharding::Weights weights;
    for (const int index : unit.groups()) {
      const sharding::ParamGroup& group = whole.model.groups[static_cast<std::size_t>(index)];
      weights.push_back(whole.weights[static_cast<std::size_t>(index)]);
      for (at::Tensor& weight : weights.back()) {
        if (group.stored) weight = at::ones(weight.sizes(), at::kByte);
        if (!group.trainable) weight = weight.detach();
      }
    }
    return weights;
  }

  double made_by(const sharding::Unit& unit, const sharding::Weights& weights) const {
    const std::size_t before = sharding::tensor_memory().in_use;
    const sharding::Activation output =
        unit.forward({.hidden = input, .more = {}, .loss = {}}, context, weights);
    return static_cast<double>(sharding::tensor_memory().in_use - before);
  }

  ModelSpec spec;
  std::optional<LoraSettings> lora;
  testing::WholeModel whole;
  sharding::Context context;
  at::Tensor input;
};

/// Under each policy for activations what is there after forward is what the plan counts, to the byte.
TEST_P(BlockMemory, IsWhatThePlanSays) {
  const auto& [form, type, tuning] = GetParam();
  const auto work = work_of(spec, shape_here(spec, rows, length, ours(type)), lora);
  for (std::size_t index = 1; index <= static_cast<std::size_t>(spec.layers); ++index) {
    const sharding::Unit& unit = *whole.model.units[index];
    const sharding::Weights weights = weights_of(unit);
    // Tables of angles are made once.
    made_by(unit, weights);
    const auto output = static_cast<double>(work.units[index].output_bytes),
               kept = static_cast<double>(work.units[index].kept_bytes),
               attended = static_cast<double>(work.units[index].attention_bytes);
    {
      const at::AutoGradMode record(true);
      EXPECT_NEAR(made_by(unit, weights), kept + output, header * tensors + form.unforeseen * kept);
    }
    const at::AutoGradMode silent(false);
    EXPECT_NEAR(made_by(unit, weights), output, header);
    context.kept = std::make_shared<sharding::KeptPieces>();
    EXPECT_NEAR(made_by(unit, weights), attended + output, 3 * header);
    context.kept.reset();
  }
}

std::string name_of(const ::testing::TestParamInfo<BlockMemory::ParamType>& one) {
  constexpr const char* tunings[] = {"full", "lora", "qlora"};
  const auto& [form, type, tuning] = one.param;
  return fmt::format("{}_{}_{}", form.name, c10::toString(type), tunings[static_cast<int>(tuning)]);
}

INSTANTIATE_TEST_SUITE_P(Forms, BlockMemory,
                         ::testing::Combine(::testing::ValuesIn(forms),
                                            ::testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                                            ::testing::Values(Tuning::full, Tuning::lora, Tuning::qlora)),
                         name_of);

}  // namespace
}  // namespace trireme::model
