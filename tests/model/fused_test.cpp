#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"
#include "model/config.h"
#include "model/cross_entropy.h"
#include "model/norm.h"
#include "model/plain.h"
#include "model/swiglu.h"
#include "model/weight_gradient.h"
#include "sharding/tensor_memory.h"
#include "tests/model/tiny_config.h"
#include "tests/model/whole_model.h"

namespace trireme::model {
namespace {

using Tensors = std::vector<at::Tensor>;
using Operation = std::function<Tensors(const Tensors&)>;

/// Relative to the largest element.
double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return (x - y).abs().max().item<double>() / std::max(y.abs().max().item<double>(), 1e-30);
}

struct Passes {
  Tensors outputs, gradients;
};

Passes run(const Operation& operation, const Tensors& inputs, at::ScalarType type) {
  Tensors leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.to(type).detach().requires_grad_(true));
  Passes passes;
  passes.outputs = operation(leaves);
  at::manual_seed(9);
  Tensors weights;
  for (const at::Tensor& output : passes.outputs)
    weights.push_back(at::randn(output.sizes(), at::kDouble).to(output.scalar_type()));
  passes.gradients = torch::autograd::grad(passes.outputs, leaves, weights);
  return passes;
}

/// Fused in `type` against plain in double, from inputs that both hold exactly.
void expect_equal(const Operation& fused, const Operation& plain, Tensors inputs) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (at::Tensor& input : inputs) input = input.to(type).to(at::kDouble);
    const double tolerance = type == at::kFloat ? 3e-6 : 2e-2;
    const Passes made = run(fused, inputs, type), reference = run(plain, inputs, at::kDouble);
    for (std::size_t i = 0; i < made.outputs.size(); ++i)
      EXPECT_LT(difference(made.outputs[i], reference.outputs[i]), tolerance) << type << " output " << i;
    for (std::size_t i = 0; i < made.gradients.size(); ++i)
      EXPECT_LT(difference(made.gradients[i], reference.gradients[i]), tolerance)
          << type << " gradient " << i;
  }
}

at::Tensor random(std::vector<std::int64_t> shape) {
  return at::randn(shape, at::kDouble);
}

TEST(Fused, NormEqualsThePlainOne) {
  at::manual_seed(1);
  // Sizes below, at and beside the vectors' length, and rows for more than one chunk.
  for (const auto& [rows, size] : {std::pair{3, 5}, {2, 16}, {70, 64}, {131, 83}})
    expect_equal([](const Tensors& in) { return Tensors{rms_norm(in[0], in[1], 1e-5).value}; },
                 [](const Tensors& in) { return Tensors{plain::rms_norm(in[0], in[1], 1e-5)}; },
                 {random({rows, size}), random({size})});
}

TEST(Fused, ResidualAndNormEqualThePlainOnes) {
  at::manual_seed(2);
  expect_equal(
      [](const Tensors& in) {
        const SumAndNorm both = add_rms_norm(in[0], in[1], in[2], 1e-6);
        return Tensors{both.sum, both.norm.value};
      },
      [](const Tensors& in) {
        const at::Tensor sum = in[0] + in[1];
        return Tensors{sum, plain::rms_norm(sum, in[2], 1e-6)};
      },
      {random({2, 33, 40}), random({2, 33, 40}), random({40})});
}

/// In fp32, bf16 and, past the kernels, in double.
TEST(Fused, NormsAndSwiGluAreMadeAgainToTheBitForAllThatAsk) {
  at::manual_seed(6);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const auto leaf = [&](at::IntArrayRef sizes) {
      return at::randn(sizes).mul_(8).to(type).requires_grad_(true);
    };
    const at::Tensor x = leaf({9, 83}), other = leaf({9, 83}), weight = leaf({83});
    for (const Remakable& made :
         {rms_norm(x, weight, 1e-5, {}, 1.0), add_rms_norm(x, other, weight, 1e-5).norm, swiglu(x, other)}) {
      ASSERT_TRUE(made.again);
      made.again->expect(), made.again->expect();
      const at::Tensor first = made.again->take();
      EXPECT_TRUE(first.equal(made.value)) << type;
      EXPECT_EQ(made.again->take().data_ptr(), first.data_ptr()) << type;
      EXPECT_THROW(made.again->take(), Error);
    }
  }
  const at::NoGradGuard guard;
  EXPECT_FALSE(swiglu(at::ones({2, 2}), at::ones({2, 2})).again);
}

TEST(Fused, RotationEqualsThePlainOneAlsoInASlice) {
  at::manual_seed(3);
  RopeTable table({.kind = RopeKind::plain}, 24);
  const at::Tensor positions = at::randint(50, {2, 17}, at::kLong);
  const auto rows = table.at_least(50, at::kCPU);
  for (const std::int64_t first : {0, 2}) {
    const auto part = [&](const at::Tensor& x) { return x.narrow(2, first, 3); };
    expect_equal([&](const Tensors& in) { return Tensors{rotate(part(in[0]), positions, rows)}; },
                 [&](const Tensors& in) { return Tensors{plain::rotate(part(in[0]), positions, rows)}; },
                 {random({2, 17, 5, 24})});
  }
}

TEST(Fused, SwiGluEqualsThePlainOneAndStandsLargeGates) {
  at::manual_seed(4);
  expect_equal([](const Tensors& in) { return Tensors{swiglu(in[0], in[1]).value}; },
               [](const Tensors& in) { return Tensors{plain::swiglu(in[0], in[1])}; },
               {random({5, 77}) * 8, random({5, 77})});
  const at::Tensor gates = at::tensor({-1e30, -300.0, -104.5, 300.0, 1e30}, at::kFloat);
  const at::Tensor out = swiglu(gates, at::ones({5}, at::kFloat)).value;
  EXPECT_TRUE(out.isfinite().all().item<bool>());
  EXPECT_LT((out - at::silu(gates)).abs().max().item<double>(), 1e-30);
}

TEST(Fused, CrossEntropyEqualsThePlainOne) {
  at::manual_seed(5);
  at::Tensor labels = at::randint(301, {41}, at::kLong);
  labels.slice(0, 0, std::nullopt, 5).fill_(-100);
  expect_equal(
      [&](const Tensors& in) { return Tensors{linear_cross_entropy(in[0], in[1], labels, 0.37)}; },
      [&](const Tensors& in) { return Tensors{plain::linear_cross_entropy(in[0], in[1], labels, 0.37)}; },
      {random({41, 24}), random({301, 24})});
}

TEST(Fused, ProductsOfBf16AreSummedInFp32WhereTheyLie) {
  at::manual_seed(6);
  // Odd depths, depths beyond one pass, edges of blocks and panels.
  for (const auto& [rows, m, n] : {std::tuple{7, 3, 5}, {64, 32, 256}, {515, 45, 300}, {1030, 70, 17}}) {
    const at::Tensor left = at::randn({rows, m}).to(at::kBFloat16),
                     right = at::randn({rows, n}).to(at::kBFloat16);
    const at::Tensor exact = at::mm(left.to(at::kDouble).t(), right.to(at::kDouble));
    at::Tensor into = at::full({m, n}, 77.0, at::kFloat);
    add_product(left, right, into, false);
    EXPECT_LT(difference(into, exact), 3e-6) << rows;
    add_product(left, right, into, true);
    EXPECT_LT(difference(into, exact * 2), 3e-6) << rows;
  }
}

/// The head of a vocabulary of 128k: what the fused loss takes at most, beside the plain one.
TEST(Fused, LogitsAreNeverHeldWhole) {
  sharding::keep_tensor_memory();
  const std::int64_t vocabulary = 128 * 1024, size = 32, rows = 1024;
  at::manual_seed(7);
  const at::Tensor hidden = at::randn({rows, size}).to(at::kBFloat16).requires_grad_(true);
  const at::Tensor weight = at::randn({vocabulary, size}).to(at::kBFloat16).requires_grad_(true);
  const at::Tensor labels = at::randint(vocabulary, {rows}, at::kLong);
  const auto sink = c10::make_intrusive<sharding::GradientSink>();
  const at::Tensor slot = at::empty({vocabulary, size}, at::kFloat);
  const auto peak = [](const auto& work) {
    const std::size_t before = sharding::tensor_memory().in_use;
    sharding::forget_peak();
    work();
    return sharding::tensor_memory().peak - before;
  };
  Tensors fused, plain;
  const std::size_t small = peak([&] {
    sink->open(weight, slot, false);
    fused = torch::autograd::grad({linear_cross_entropy(hidden, weight, labels, 1e-3, sink)},
                                  {hidden, weight}, {}, {}, false, true);
  });
  const std::size_t large = peak([&] {
    plain =
        torch::autograd::grad({plain::linear_cross_entropy(hidden, weight, labels, 1e-3)}, {hidden, weight});
  });
  EXPECT_LE(small * 8, large) << small << " against " << large;
  EXPECT_LT(difference(fused[0], plain[0]), 2e-2);
  EXPECT_FALSE(fused[1].defined());
  EXPECT_LT(difference(slot, plain[1]), 2e-2);
}

TEST(Fused, AModelOfPlainOperationsGivesTheSameLossAndGradients) {
  const ModelSpec spec = parse_config(testing::llama_config(), "config.json");
  const auto make = [&](bool fused) {
    at::manual_seed(8);
    return testing::make_whole(build_model(spec, at::kFloat, {}, fused), at::kFloat,
                               [](const std::string&, at::Tensor& tensor) { tensor.normal_(0.0, 0.2); });
  };
  const testing::WholeModel fused = make(true), plain = make(false);
  sharding::Context context;
  context.tokens = at::randint(64, {2, 12}, at::kLong);
  context.labels = testing::shifted(context.tokens);
  context.positions = testing::row_positions(context.tokens);
  const at::Tensor loss = fused.forward(context).loss, reference = plain.forward(context).loss;
  EXPECT_LT(difference(loss, reference), 1e-6);
  const auto gradients = fused.gradients(loss), expected = plain.gradients(reference);
  for (const auto& [name, gradient] : expected)
    EXPECT_LT(difference(gradients.at(name), gradient), 2e-5) << name;
}

}  // namespace
}  // namespace trireme::model
