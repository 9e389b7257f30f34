#include "model/cross_entropy.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/chunk_scores.h"

namespace trireme::model {
namespace {

struct Inputs {
  at::Tensor hidden, weight, labels;
};

Inputs random_inputs(std::int64_t rows, std::int64_t vocabulary) {
  at::manual_seed(3);
  Inputs in{at::randn({rows, 16}), at::randn({vocabulary, 16}), at::randint(vocabulary, {rows}, at::kLong)};
  in.labels.slice(0, 0, std::nullopt, 3).fill_(-100);
  in.hidden.requires_grad_(true);
  in.weight.requires_grad_(true);
  return in;
}

/// In double: PyTorch's float loss is itself 2e-5 off at this vocabulary.
at::Tensor plain(const Inputs& in, double weight) {
  const at::Tensor logits = at::linear(in.hidden.to(at::kDouble), in.weight.to(at::kDouble));
  return at::cross_entropy_loss(logits, in.labels, {}, at::Reduction::Sum, -100) * weight;
}

TEST(LinearCrossEntropy, EqualsThePlainLossAndItsGradients) {
  // A vocabulary of 2^18 makes chunks of 64 rows, so 150 rows are three chunks, the last one short.
  for (const auto& [rows, vocabulary] : {std::pair{7, 31}, {150, 1 << 18}}) {
    const Inputs in = random_inputs(rows, vocabulary);
    const at::Tensor expected = plain(in, 0.37),
                     loss = linear_cross_entropy(in.hidden, in.weight, in.labels, 0.37);
    EXPECT_NEAR(loss.item<double>() / expected.item<double>(), 1.0, 1e-6);
    const auto reference = torch::autograd::grad({expected * 2}, {in.hidden, in.weight});
    const auto gradients = torch::autograd::grad({loss * 2}, {in.hidden, in.weight});
    for (std::size_t i = 0; i < 2; ++i) {
      const double size = reference[i].abs().max().item<double>();
      EXPECT_LT((gradients[i] - reference[i]).abs().max().item<double>(), 1e-5 * size);
    }
  }
}

TEST(ChunkScores, AreTheSameToTheBitWhetherLogitsAreKeptOrMadeTwice) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16})
    for (const double cap : {0.0, 5.0}) {
      const Inputs in = random_inputs(37, 50);
      const auto with = [&](bool keep) {
        ChunkScores scores{in.hidden, at::full({37}, -1e30), at::zeros({37})};
        for (const std::int64_t first : {0, 20, 40})
          scores = add_chunk(scores, {in.weight.narrow(0, first, first < 40 ? 20 : 10), first, type, cap},
                             in.labels, keep, {});
        const at::Tensor loss =
            (scores.normalizer - scores.target).masked_fill(in.labels.eq(-100), 0).mul(0.3).sum();
        auto made = torch::autograd::grad({loss}, {in.hidden, in.weight});
        made.push_back(loss);
        return made;
      };
      const auto kept = with(true), twice = with(false);
      for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(kept[i].equal(twice[i])) << type << cap << i;
      if (cap > 0) continue;
      const at::Tensor loss = linear_cross_entropy(in.hidden.to(type), in.weight.to(type), in.labels, 0.3);
      auto whole = torch::autograd::grad({loss}, {in.hidden, in.weight});
      for (std::size_t i = 0; i < 2; ++i) {
        const double apart = (kept[i] - whole[i]).norm().item<double>() / whole[i].norm().item<double>();
        EXPECT_LT(apart, type == at::kFloat ? 1e-6 : 1e-2) << i;
      }
    }
}

TEST(LinearCrossEntropy, NothingScoredIsZeroAndFinite) {
  Inputs in = random_inputs(4, 9);
  in.labels.fill_(-100);
  const at::Tensor loss = linear_cross_entropy(in.hidden, in.weight, in.labels, 1.0);
  EXPECT_EQ(loss.item<double>(), 0.0);
  const auto gradients = torch::autograd::grad({loss}, {in.hidden, in.weight});
  EXPECT_EQ(gradients[0].abs().max().item<double>(), 0.0);
}

TEST(LinearCrossEntropy, FrozenWeightsAndNoGradientMode) {
  Inputs in = random_inputs(8, 9);
  in.weight = in.weight.detach();
  const at::Tensor loss = linear_cross_entropy(in.hidden, in.weight, in.labels, 1.0);
  EXPECT_TRUE(torch::autograd::grad({loss}, {in.hidden})[0].defined());
  const at::NoGradGuard guard;
  const at::Tensor quiet = linear_cross_entropy(in.hidden, in.weight, in.labels, 1.0);
  EXPECT_FALSE(quiet.requires_grad());
  EXPECT_EQ(quiet.item<float>(), loss.item<float>());
}

}  // namespace
}  // namespace trireme::model
