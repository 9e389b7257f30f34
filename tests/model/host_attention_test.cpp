#include <map>
#include <tuple>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/attention.h"

namespace trireme::model {
namespace {

struct Made {
  at::Tensor result;
  std::vector<at::Tensor> gradients;
};

/// Type, whether rows are packed, the window.
class KeptAttention : public ::testing::TestWithParam<std::tuple<at::ScalarType, bool, int>> {
 protected:
  void SetUp() override {
    at::manual_seed(4);
    const auto [type, packed, window] = GetParam();
    query = at::randn({2, 24, 4, 32}).to(type).requires_grad_(true);
    key = at::randn({2, 24, 2, 32}).to(type).requires_grad_(true);
    value = at::randn({2, 24, 2, 32}).to(type).requires_grad_(true);
    upstream = at::randn({2, 24, 4, 32}).to(type);
    if (packed) context.document_bounds = at::tensor({0, 7, 7, 24, 30, 48}, at::kInt);
  }
  at::Tensor attend(const at::Tensor& queries) const {
    return model::attend(queries, key, value, context, std::get<2>(GetParam()), 0.3);
  }
  Made backward(const at::Tensor& result) const {
    return {result, torch::autograd::grad({result}, {query, key, value}, {upstream})};
  }
  at::Tensor query, key, value, upstream;
  sharding::Context context;
};

TEST_P(KeptAttention, IsTheOtherToTheBitAndComputedOnce) {
  const at::AutoGradMode record(true);
  const Made plain = backward(attend(query));
  context.kept = std::make_shared<sharding::KeptPieces>();
  at::Tensor first;
  {
    const at::AutoGradMode silent(false);
    first = attend(query);
  }
  context.kept->complete_now();
  const Made kept = backward(attend(query));
  EXPECT_TRUE(at::equal(first, plain.result));
  EXPECT_TRUE(at::equal(kept.result, plain.result));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(at::equal(kept.gradients[i], plain.gradients[i])) << i;

  // Other queries in the second pass change nothing: its results are those that were kept.
  context.kept->complete_now();
  const at::AutoGradMode silent(false);
  EXPECT_TRUE(at::equal(attend(query * 2), plain.result));
}

INSTANTIATE_TEST_SUITE_P(Types, KeptAttention,
                         ::testing::Combine(::testing::Values(at::kFloat, at::kBFloat16, at::kHalf),
                                            ::testing::Bool(), ::testing::Values(0, 24)));

}  // namespace
}  // namespace trireme::model
