#include <ATen/ATen.h>

#include "model/cross_entropy.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/plain.h"
#include "model/units.h"

namespace trireme::model {

HeadUnit::HeadUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("head", std::move(groups), std::move(shared)), layout_(head_layout(spec())) {}

sharding::Activation HeadUnit::forward(const sharding::Activation& input, const sharding::Context& context,
                                       const sharding::Weights& weights) const {
  const auto own = [&](int index) {
    return index < 0 ? at::Tensor() : weights[0][static_cast<std::size_t>(index)];
  };
  const at::Tensor norm_weight = own(layout_.norm.weight), norm_bias = own(layout_.norm.bias);
  const at::Tensor hidden =
      !shared().fused && spec().norm != NormKind::layer
          ? plain::rms_norm(input.hidden, plain::factors(spec().norm, norm_weight), spec().norm_epsilon)
          : normalize(spec().norm, input.hidden, norm_weight, norm_bias, spec().norm_epsilon,
                      context.gradients)
                .value;
  const at::Tensor output = spec().tied ? weights[1][0] : own(layout_.output.weight);
  const double cap = spec().logit_cap;
  if (!context.labels.defined()) {
    const at::Tensor logits = linear({hidden, {}}, output, {}, false);
    return {.hidden = cap > 0 ? (logits / cap).tanh() * cap : logits, .more = {}, .loss = {}};
  }
  const at::Tensor rows = hidden.reshape({-1, hidden.size(-1)}), labels = context.labels.reshape({-1});
  // A gradient that is made in a forward pass alone has no slot yet.
  const sharding::GradientSinkPtr sink = context.in_backward ? context.gradients : nullptr;
  at::Tensor loss = shared().fused
                        ? linear_cross_entropy(rows, output, labels, context.loss_weight, sink, cap)
                        : plain::linear_cross_entropy(rows, output, labels, context.loss_weight, cap);
  std::vector<at::Tensor> more;
  if (!context.training) more.push_back(at::scalar_tensor(count_hits(rows, output, labels), at::kLong));
  return {.hidden = {}, .more = std::move(more), .loss = loss};
}

}  // namespace trireme::model
