#include "model/nf4.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/config.h"
#include "model/linear.h"
#include "sharding/codecs/nf4.h"
#include "sharding/tensor_memory.h"
#include "tests/model/tiny_config.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

at::Tensor in_four_bits(const at::Tensor& weight) {
  const at::Tensor values = weight.to(at::kFloat).contiguous();
  at::Tensor bytes = at::empty({sharding::Nf4Shape(values.numel()).bytes()}, at::kByte);
  sharding::quantise_nf4({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())},
                         bytes.data_ptr<std::uint8_t>());
  return bytes;
}

at::Tensor back(const at::Tensor& bytes, at::IntArrayRef shape) {
  at::Tensor values = at::empty(shape, at::kFloat);
  sharding::dequantise_nf4(sharding::Nf4Shape(values.numel()), bytes.data_ptr<std::uint8_t>(), 0,
                           values.numel(), values.data_ptr<float>());
  return values;
}

TEST(Nf4Linear, IsTheLinearOfTheDequantisedWeight) {
  at::manual_seed(1);
  for (const bool transposed : {false, true})
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const at::Tensor weight = at::randn({24, 40}), bytes = in_four_bits(weight),
                       bias = at::randn({transposed ? 40 : 24});
      const at::Tensor x = at::randn({5, transposed ? 24 : 40}).to(type).requires_grad_(true);
      const at::Tensor ours = nf4_linear(x, bytes, weight.sizes(), bias, transposed);
      const at::Tensor theirs =
          linear({x, {}}, back(bytes, weight.sizes()).to(type), bias.to(type), transposed);
      EXPECT_TRUE(at::equal(ours, theirs));
      const at::Tensor gradient = at::randn(ours.sizes()).to(type);
      EXPECT_TRUE(at::equal(torch::autograd::grad({ours}, {x}, {gradient})[0],
                            torch::autograd::grad({theirs}, {x}, {gradient})[0]));
    }
}

TEST(Nf4Linear, KeepsNoDequantisedWeight) {
  sharding::keep_tensor_memory();
  const at::Tensor weight = at::randn({512, 512}), bytes = in_four_bits(weight);
  const at::Tensor x = at::randn({2, 512}).requires_grad_(true);
  const std::size_t before = sharding::tensor_memory().in_use;
  const at::Tensor out = nf4_linear(x, bytes, weight.sizes(), {}, false);
  EXPECT_LE(sharding::tensor_memory().in_use - before, out.nbytes() + 1024);
}

/// Adapters beside 4-bit weights against the same adapters beside those weights in fp32.
TEST(Nf4Linear, ABlockInFourBitsGivesTheAdaptersTheSameGradients) {
  const ModelSpec spec = parse_config(testing::llama_config(), "config.json");
  LoraSettings lora;
  const auto make = [&](bool four_bits) {
    lora.four_bit_base = four_bits;
    sharding::Model model = build_model(spec, at::kFloat, lora);
    std::vector<std::vector<at::Tensor>> weights;
    for (const auto& group : model.groups) {
      std::vector<at::Tensor> tensors;
      for (const auto& parameter : group.parameters) {
        const bool coded = is_nf4(parameter.name);
        const std::string name = coded ? name_without_nf4(parameter.name) : parameter.name;
        // Drawn from the name, since the two models have their groups in another order.
        at::manual_seed(std::hash<std::string>()(name) % 100000);
        std::vector<std::int64_t> shape = parameter.shape;
        if (coded)
          for (const auto& plain : block_layout(spec, name.find("layers.1") != std::string::npos).parameters)
            if (plain.name == name) shape = plain.shape;
        at::Tensor value = at::randn(shape) * 0.2;
        const bool linear = shape.size() == 2 && name.find("lora") == std::string::npos &&
                            name.find("layers") != std::string::npos;
        if (coded) {
          value = in_four_bits(value);
        } else if (linear) {
          value = back(in_four_bits(value), shape);
        }
        tensors.push_back(group.trainable ? value.requires_grad_(true) : value);
      }
      weights.push_back(tensors);
    }
    return testing::WholeModel{std::move(model), std::move(weights)};
  };
  const testing::WholeModel coded = make(true), plain = make(false);
  EXPECT_EQ(coded.model.groups[1].stored, DType::u8);
  sharding::Context context;
  at::manual_seed(4);
  context.tokens = at::randint(64, {2, 10}, at::kLong);
  context.labels = testing::shifted(context.tokens);
  context.positions = testing::row_positions(context.tokens);
  const auto adapters = [](const testing::WholeModel& whole) {
    std::map<std::string, at::Tensor> found;
    for (std::size_t g = 0; g < whole.model.groups.size(); ++g)
      if (whole.model.groups[g].trainable)
        for (std::size_t i = 0; i < whole.weights[g].size(); ++i)
          found[whole.model.groups[g].parameters[i].name] = whole.weights[g][i];
    return found;
  };
  const auto ours = adapters(coded), theirs = adapters(plain);
  ASSERT_EQ(ours.size(), theirs.size());
  const at::Tensor loss = coded.forward(context).loss, expected = plain.forward(context).loss;
  EXPECT_FLOAT_EQ(loss.item<float>(), expected.item<float>());
  for (const auto& [name, value] : ours) {
    const at::Tensor a = torch::autograd::grad({loss}, {value}, {}, true)[0];
    const at::Tensor b = torch::autograd::grad({expected}, {theirs.at(name)}, {}, true)[0];
    EXPECT_LT((a - b).abs().max().item<double>(), 1e-5 * (1 + b.abs().max().item<double>())) << name;
  }
}

}  // namespace
}  // namespace trireme::model
