#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "model/config.h"
#include "model/vocabulary.h"
#include "model/work.h"
#include "sharding/tensor_memory.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

constexpr std::int64_t rows = 2, length = 512, vocabulary = 96;
/// What the counter adds to each tensor, and how many a unit makes at most.
constexpr double header = 64, tensors = 8;

ModelSpec spec_in_chunks() {
  ModelSpec spec = parse_config(
      R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 4,
"num_key_value_heads": 2, "intermediate_size": 176, "num_hidden_layers": 1, "vocab_size": 96,
"max_position_embeddings": 512})",
      "config.json");
  spec.vocabulary_chunk = 32;
  return spec;
}

std::size_t in_use() {
  return sharding::tensor_memory().in_use;
}

struct Precision {
  at::ScalarType type;
  double cap;
};
class ChunkMemory : public ::testing::TestWithParam<Precision> {};

/// Embedding's and head's units as an engine runs them: what comes into being and stays after each is what
/// the plan counts as its output and as kept, as a run's own counter has it.
TEST_P(ChunkMemory, EachUnitKeepsWhatThePlanSays) {
  sharding::keep_tensor_memory();
  const auto [type, cap] = GetParam();
  ModelSpec spec = spec_in_chunks();
  spec.attention_cap = cap;
  const testing::WholeModel whole =
      testing::make_whole(build_model(spec, type), type,
                          [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.05); });
  sharding::Context context;
  context.tokens = at::randint(vocabulary, {rows, length}, at::kLong);
  context.labels = at::randint(vocabulary, {rows, length}, at::kLong);
  context.positions = testing::row_positions(context.tokens);
  context.gradients = c10::make_intrusive<sharding::GradientSink>();
  const auto work =
      work_of(spec, shape_here(spec, rows, length, type == at::kHalf ? DType::f16 : DType::bf16));
  ASSERT_EQ(work.units.size(), whole.model.units.size());

  std::vector<sharding::Activation> kept;
  sharding::Activation flow;
  for (std::size_t unit = 0; unit < whole.model.units.size(); ++unit) {
    const bool is_block = unit == vocabulary_chunks(spec).size();
    const bool is_last = unit + 1 == whole.model.units.size();
    sharding::Activation input;
    const auto leaf = [&](const at::Tensor& tensor) {
      return tensor.defined() && tensor.is_floating_point() && unit > 0 ? tensor.detach().requires_grad_(true)
                                                                        : tensor.detach();
    };
    if (flow.hidden.defined()) input.hidden = leaf(flow.hidden);
    for (const at::Tensor& more : flow.more) input.more.push_back(leaf(more));
    const std::size_t before = in_use();
    const at::AutoGradMode record(true);
    kept.push_back(whole.model.units[unit]->forward(
        input, context, {whole.weights[static_cast<std::size_t>(whole.model.units[unit]->groups()[0])]}));
    const auto made = static_cast<double>(in_use() - before);
    const sharding::UnitWork& planned = work.units[unit];
    const auto foretold = static_cast<double>(planned.kept_bytes + planned.output_bytes);
    if (!is_block && !is_last) {
      EXPECT_NEAR(made, foretold, header * tensors) << whole.model.units[unit]->name();
    }
    flow = kept.back();
  }
}

INSTANTIATE_TEST_SUITE_P(Types, ChunkMemory,
                         ::testing::Values(Precision{at::kBFloat16, 0}, Precision{at::kHalf, 0},
                                           Precision{at::kHalf, 30}));

}  // namespace
}  // namespace trireme::model
