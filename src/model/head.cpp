#include <ATen/ATen.h>

#include "model/cross_entropy.h"
#include "model/linear.h"
#include "model/norm.h"
#include "model/units.h"

namespace trireme::model {

HeadUnit::HeadUnit(std::vector<int> groups, std::shared_ptr<const Shared> shared)
    : NamedUnit("head", std::move(groups), std::move(shared)), layout_(head_layout(spec())) {}

sharding::Activation HeadUnit::forward(const sharding::Activation& input, const sharding::Context& context,
                                       const sharding::Weights& weights) const {
  const auto own = [&](int index) {
    return index < 0 ? at::Tensor() : weights[0][static_cast<std::size_t>(index)];
  };
  const at::Tensor hidden = normalize(spec().norm, input.hidden, own(layout_.norm.weight),
                                      own(layout_.norm.bias), spec().norm_epsilon);
  const at::Tensor output = spec().tied ? weights[1][0] : own(layout_.output.weight);
  if (!context.labels.defined()) return {.hidden = linear(hidden, output, {}, false), .more = {}, .loss = {}};
  at::Tensor loss = linear_cross_entropy(hidden.reshape({-1, hidden.size(-1)}), output,
                                         context.labels.reshape({-1}), context.loss_weight);
  return {.hidden = {}, .more = {}, .loss = loss};
}

}  // namespace trireme::model
