#include "model/attention.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme::model {
namespace {

struct Inputs {
  at::Tensor query, key, value;
};

Inputs random_inputs(std::int64_t batch, std::int64_t length) {
  at::manual_seed(7);
  return {at::randn({batch, length, 4, 8}), at::randn({batch, length, 2, 8}),
          at::randn({batch, length, 2, 8})};
}

/// The definition: softmax over all visible keys, in double.
at::Tensor plain(const Inputs& in, const at::Tensor& visible, double scale) {
  const auto heads = [](const at::Tensor& t, std::int64_t copies) {
    return t.to(at::kDouble).repeat_interleave(copies, 2).transpose(1, 2);
  };
  const at::Tensor scores = at::matmul(heads(in.query, 1), heads(in.key, 2).transpose(2, 3)) * scale;
  const at::Tensor weights = scores.masked_fill(visible.logical_not(), -INFINITY).softmax(-1);
  return at::matmul(weights, heads(in.value, 2)).transpose(1, 2).to(at::kFloat);
}

at::Tensor distance(std::int64_t length) {
  return at::arange(length).unsqueeze(1) - at::arange(length);
}

TEST(Attention, CausalWithSharedKeyHeads) {
  const Inputs in = random_inputs(2, 150);
  const at::Tensor result = attend(in.query, in.key, in.value, {}, 0, 0.3);
  EXPECT_LT((result - plain(in, distance(150) >= 0, 0.3)).abs().max().item<double>(), 1e-5);
}

TEST(Attention, WindowsOfAnySizeEqualADenseMask) {
  const Inputs in = random_inputs(2, 300);
  for (const std::int64_t window : {1, 7, 64, 65, 130, 299, 300, 1000}) {
    const at::Tensor visible = (distance(300) >= 0).logical_and(distance(300) < window);
    const at::Tensor result = attend(in.query, in.key, in.value, {}, window, 0.3);
    EXPECT_LT((result - plain(in, visible, 0.3)).abs().max().item<double>(), 1e-5) << window;
  }
}

TEST(Attention, PackedDocumentsDoNotSeeEachOther) {
  const Inputs in = random_inputs(1, 200);
  for (const std::int64_t window : {0, 9}) {
    sharding::Context context;
    context.document_bounds = at::tensor({0, 1, 90, 90, 200}, at::kInt);
    const at::Tensor result = attend(in.query, in.key, in.value, context, window, 0.3);
    for (const auto& [begin, end] : {std::pair{0, 1}, {1, 90}, {90, 200}}) {
      const auto cut = [&](const at::Tensor& t) { return t.slice(1, begin, end); };
      const at::Tensor alone = attend(cut(in.query), cut(in.key), cut(in.value), {}, window, 0.3);
      EXPECT_LT((cut(result) - alone).abs().max().item<double>(), 1e-6);
    }
  }
}

TEST(Attention, BoundsMustCoverTheBatch) {
  const Inputs in = random_inputs(1, 20);
  sharding::Context context;
  context.document_bounds = at::tensor({0, 10}, at::kInt);
  EXPECT_THROW(attend(in.query, in.key, in.value, context, 0, 0.3), Error);
}

}  // namespace
}  // namespace trireme::model
