#include <gtest/gtest.h>

#include "model/config.h"
#include "tests/model/tiny_config.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

using trireme::testing::llama_config;
using trireme::testing::make_whole;
using trireme::testing::row_positions;
using trireme::testing::WholeModel;

WholeModel random_model(const std::string& config, at::ScalarType stored = at::kFloat) {
  at::manual_seed(11);
  return make_whole(build_model(parse_config(config, "config.json")), stored,
                    [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.3); });
}

WholeModel random_llama() {
  return random_model(llama_config());
}

/// The llama of `llama_config` with another architecture's settings.
std::string as_family(const std::string& architecture, const std::string& more) {
  return R"({"architectures": [")" + architecture +
         R"("], "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
      "head_dim": 8, "intermediate_size": 48, "vocab_size": 64, "max_position_embeddings": 128)" +
         more + "}";
}

TEST(Units, PackedDocumentsGiveTheLogitsThatEachGivesAlone) {
  const WholeModel whole = random_llama();
  const at::Tensor tokens = at::randint(64, {1, 30}, at::kLong);
  const at::Tensor first = tokens.slice(1, 0, 12), second = tokens.slice(1, 12, 30);
  sharding::Context packed;
  packed.tokens = tokens;
  packed.positions = at::cat({row_positions(first), row_positions(second)}, 1);
  packed.document_bounds = at::tensor({0, 12, 30}, at::kInt);
  const at::Tensor together = whole.forward(packed).hidden;
  std::vector<at::Tensor> alone;
  for (const at::Tensor& document : {first, second}) {
    sharding::Context context;
    context.tokens = document;
    context.positions = row_positions(document);
    alone.push_back(whole.forward(context).hidden);
  }
  EXPECT_LT((together - at::cat(alone, 1)).abs().max().item<double>(), 1e-4);
}

/// Whatever a block keeps for backward, none of it may be a copy made from a weight: weights are refilled
/// between the passes.
TEST(Units, BackwardReadsTheWeightsWhereTheyLie) {
  const std::vector<std::string> configs{
      llama_config(), as_family("Gemma2ForCausalLM", R"(, "sliding_window": 4)"),
      as_family("Phi3ForCausalLM", ""), as_family("MixtralForCausalLM", R"(, "num_local_experts": 3)")};
  for (std::size_t i = 0; i < 2 * configs.size(); ++i) {
    const at::ScalarType stored = i % 2 ? at::kBFloat16 : at::kFloat;
    const WholeModel whole = random_model(configs[i / 2], stored);
    const sharding::Unit& block = *whole.model.units[1];
    sharding::Context context;
    context.tokens = at::randint(64, {2, 10}, at::kLong);
    context.positions = row_positions(context.tokens);
    at::Tensor input = at::randn({2, 10, 32}).requires_grad_(true);
    const auto run = [&](bool refill) {
      std::vector<at::Tensor> slots;
      for (const at::Tensor& weight : whole.weights[1])
        slots.push_back(weight.detach().clone().requires_grad_(true));
      const sharding::Activation out =
          block.forward({.hidden = input, .more = {}, .loss = {}}, context, {slots});
      // As a collective would: past autograd, so no version counter moves.
      if (refill)
        for (const at::Tensor& slot : slots) std::memset(slot.data_ptr(), 0, slot.nbytes());
      return torch::autograd::grad({out.hidden.sum()}, {input})[0];
    };
    const at::Tensor kept = run(false), refilled = run(true);
    EXPECT_GT((kept - 1).abs().max().item<double>(), 1e-3) << configs[i / 2];
    // With all weights zero only the residual path is left.
    EXPECT_EQ((refilled - 1).abs().max().item<double>(), 0.0) << configs[i / 2];
  }
}

TEST(Units, TheTiedHeadNamesTheEmbeddingsGroup) {
  const sharding::Model tied =
      build_model(parse_config(llama_config(R"(, "tie_word_embeddings": true)"), "config.json"));
  ASSERT_EQ(tied.units.size(), 4u);
  ASSERT_EQ(tied.groups.size(), 4u);
  EXPECT_EQ(tied.units.front()->groups(), (std::vector{0}));
  EXPECT_EQ(tied.units.back()->groups(), (std::vector{3, 0}));
  EXPECT_EQ(tied.groups[3].parameters.size(), 1u);
  EXPECT_EQ(tied.groups[1].name, "layers.0");
}

}  // namespace
}  // namespace trireme::model
