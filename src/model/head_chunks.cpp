#include <ATen/ATen.h>

#include "model/chunk_scores.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/plain.h"
#include "model/vocabulary_units.h"

namespace trireme::model {
namespace {

/// A logit that is less than any, and yet finite.
constexpr double least_logit = -1e30;
constexpr std::int64_t not_scored = -100;

at::Tensor flat_labels(const sharding::Context& context) {
  return context.labels.reshape({-1});
}

/// The sum of the losses, as `linear_cross_entropy` weighs it.
at::Tensor weighed_loss(const ChunkScores& scores, const at::Tensor& labels, double weight) {
  const at::Tensor lost = scores.normalizer - scores.target;
  return lost.masked_fill(labels.eq(not_scored), 0).sum(at::kDouble).mul(weight).to(at::kFloat);
}

}  // namespace

HeadNormUnit::HeadNormUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("head", std::move(groups), std::move(shared)), layout_(head_layout(spec())) {}

sharding::Activation HeadNormUnit::forward(const sharding::Activation& input,
                                           const sharding::Context& context,
                                           const sharding::Weights& weights) const {
  const auto own = [&](int index) {
    return index < 0 ? at::Tensor() : weights[0][static_cast<std::size_t>(index)];
  };
  const at::Tensor weight = own(layout_.norm.weight), bias = own(layout_.norm.bias);
  at::Tensor hidden =
      !shared().fused && spec().norm != NormKind::layer
          ? plain::rms_norm(input.hidden, plain::factors(spec().norm, weight), spec().norm_epsilon)
          : normalize(spec().norm, input.hidden, weight, bias, spec().norm_epsilon, context.gradients).value;
  if (!context.labels.defined()) return {.hidden = hidden, .more = {}, .loss = {}};
  hidden = hidden.reshape({-1, hidden.size(-1)});
  const auto wide = hidden.options().dtype(at::promoteTypes(hidden.scalar_type(), at::kFloat));
  const at::Tensor least = at::full({hidden.size(0)}, least_logit, wide);
  std::vector<at::Tensor> more{least, at::zeros_like(least)};
  if (!context.training) {
    more.push_back(least);
    more.push_back(at::zeros({hidden.size(0)}, hidden.options().dtype(at::kBool)));
  } else {
    // Each chunk adds to its gradient, which a narrow type would round each time.
    hidden = hidden.to(wide.dtype());
  }
  return {.hidden = hidden, .more = std::move(more), .loss = {}};
}

HeadChunkUnit::HeadChunkUnit(std::string name, VocabularyChunk chunk, std::vector<int> groups,
                             std::shared_ptr<const Shared> shared)
    : NamedUnit(std::move(name), std::move(groups), std::move(shared)), chunk_(chunk) {}

sharding::Activation HeadChunkUnit::add_logits(const sharding::Activation& input,
                                               const at::Tensor& weight) const {
  const double cap = spec().logit_cap;
  const at::Tensor logits = linear({input.hidden, {}}, weight, {}, false);
  sharding::Activation made{.hidden = input.hidden, .more = input.more, .loss = {}};
  made.more.push_back(cap > 0 ? (logits / cap).tanh() * cap : logits);
  if (is_last()) made = {.hidden = at::cat(made.more, -1), .more = {}, .loss = {}};
  return made;
}

sharding::Activation HeadChunkUnit::forward(const sharding::Activation& input,
                                            const sharding::Context& context,
                                            const sharding::Weights& weights) const {
  const at::Tensor& weight = weights[0][0];
  if (!context.labels.defined()) return add_logits(input, weight);
  const at::Tensor labels = flat_labels(context);
  const ChunkProduct chunk{weight, chunk_.first, shared().compute, spec().logit_cap};
  const ChunkScores scores = add_chunk({input.hidden, input.more[0], input.more[1]}, chunk, labels,
                                       keeps_logits(spec(), input.hidden.size(0)), context.gradients);
  sharding::Activation made{scores.hidden, {scores.normalizer, scores.target}, {}};
  if (!context.training) {
    const ChunkHits hits = add_chunk_hits({input.more[2], input.more[3]}, input.hidden, chunk, labels);
    made.more.insert(made.more.end(), {hits.largest, hits.hit});
  }
  if (!is_last()) return made;
  sharding::Activation end{{}, {}, weighed_loss(scores, labels, context.loss_weight)};
  if (!context.training) end.more.push_back(made.more.back().sum());
  return end;
}

}  // namespace trireme::model
