#include <ATen/ATen.h>

#include "model/units.h"

namespace trireme::model {
namespace {

/// experts · Σ over experts of (share of positions sent there) · (mean probability of going there), which is
/// least where both are even.
at::Tensor imbalance(const at::Tensor& probabilities, const at::Tensor& chosen) {
  const std::int64_t experts = probabilities.size(1);
  const at::Tensor sent =
      at::zeros({experts}, probabilities.options())
          .scatter_add_(0, chosen.reshape({-1}), at::ones({chosen.numel()}, probabilities.options()));
  return (sent / chosen.size(0) * probabilities.mean(0)).sum() * experts;
}

}  // namespace

sharding::Activation BlockUnit::mixture(const at::Tensor& x, const sharding::Context& context,
                                        const sharding::Weights& weights) const {
  const at::Tensor rows = x.reshape({-1, x.size(-1)});
  const at::Tensor probabilities =
      apply(layout_.router, {rows, {}}, context, weights).to(at::kFloat).softmax(-1);
  const auto [best, chosen] = probabilities.topk(spec().experts_used, -1);
  const at::Tensor shares = (best / best.sum(-1, true)).to(x.scalar_type());
  at::Tensor out = at::zeros_like(rows);
  for (std::size_t i = 0; i < layout_.experts.size(); ++i) {
    const at::Tensor places = chosen.eq(static_cast<std::int64_t>(i)).nonzero();
    if (places.size(0) == 0) continue;
    const at::Tensor row = places.select(1, 0).contiguous(), choice = places.select(1, 1);
    const Remakable part{rows.index_select(0, row), {}};
    const Expert& expert = layout_.experts[i];
    const Remakable inner =
        gated(apply(expert.gate, part, context, weights), apply(expert.up, part, context, weights));
    const at::Tensor share = shares.index({row, choice}).unsqueeze(1);
    out = out.index_add(0, row, apply(expert.down, inner, context, weights) * share);
  }
  sharding::Activation made{.hidden = out.reshape(x.sizes()), .more = {}, .loss = {}};
  if (spec().balance_weight > 0 && context.training && context.labels.defined()) {
    const double share_of_batch = context.labels.ne(-100).sum().item<double>() * context.loss_weight;
    made.loss = imbalance(probabilities, chosen) *
                (spec().balance_weight * share_of_batch / static_cast<double>(spec().layers));
  }
  return made;
}

}  // namespace trireme::model
