#include "sharding/unit_runner.h"

#include <numeric>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

/// The tensors that flow from unit to unit, in one order.
std::vector<at::Tensor> flowing(const Activation& activation) {
  std::vector<at::Tensor> tensors{activation.hidden};
  tensors.insert(tensors.end(), activation.more.begin(), activation.more.end());
  return tensors;
}

}  // namespace

UnitRunner::UnitRunner(const Model& model, const Views& views) : model_(model), views_(views) {
  bool trained = false;
  for (const auto& unit : model.units) {
    wants_input_gradient_.push_back(trained);
    Weights weights;
    for (const int group : unit->groups()) {
      weights.push_back(views.weights(group));
      trained |= model.groups[static_cast<std::size_t>(group)].trainable;
    }
    weights_.push_back(std::move(weights));
  }
}

void UnitRunner::begin(const std::vector<Context>& micro_batches) {
  contexts_ = &micro_batches;
  saved_.assign(micro_batches.size() * model_.units.size(), {});
  flow_.assign(micro_batches.size(), {});
  gradient_flow_.assign(micro_batches.size(), {});
  losses_.assign(saved_.size(), 0.0);
}

Activation UnitRunner::as_leaves(const Activation& activation, bool require_gradients) const {
  const auto leaf = [&](const at::Tensor& tensor) {
    if (!tensor.defined()) return tensor;
    at::Tensor made = tensor.detach();
    if (require_gradients && made.is_floating_point()) made.requires_grad_(true);
    return made;
  };
  Activation leaves{leaf(activation.hidden), {}, {}};
  for (const at::Tensor& tensor : activation.more) leaves.more.push_back(leaf(tensor));
  return leaves;
}

Activation UnitRunner::compute(int unit, int micro_batch, const Activation& input) const {
  const auto u = static_cast<std::size_t>(unit);
  return model_.units[u]->forward(input, (*contexts_)[static_cast<std::size_t>(micro_batch)], weights_[u]);
}

void UnitRunner::forward(int unit, int micro_batch, bool train, bool keep) {
  const at::AutoGradMode record(keep);
  Activation& flow = flow_[static_cast<std::size_t>(micro_batch)];
  const Activation input = as_leaves(flow, keep && wants_input_gradient_[static_cast<std::size_t>(unit)]);
  const Activation output = compute(unit, micro_batch, input);
  if (output.loss.defined()) losses_[index(unit, micro_batch)] = output.loss.item<double>();
  flow = as_leaves(output, false);
  if (train) saved(unit, micro_batch) = {input, keep ? output : Activation{}, keep};
}

void UnitRunner::backward(int unit, int micro_batch, std::uint32_t overwrite) {
  const at::AutoGradMode record(true);
  Saved kept = std::move(saved(unit, micro_batch));
  saved(unit, micro_batch) = {};
  if (!kept.has_output) {
    kept.input = as_leaves(kept.input, wants_input_gradient_[static_cast<std::size_t>(unit)]);
    kept.output = compute(unit, micro_batch, kept.input);
  }
  auto& from_above = gradient_flow_[static_cast<std::size_t>(micro_batch)];
  const std::vector<at::Tensor> made = flowing(kept.output);
  std::vector<at::Tensor> outputs, output_gradients, inputs;
  for (std::size_t i = 0; i < from_above.size(); ++i) {
    if (!from_above[i].defined() || !made[i].requires_grad()) continue;
    outputs.push_back(made[i]);
    output_gradients.push_back(from_above[i]);
  }
  if (kept.output.loss.defined() && kept.output.loss.requires_grad()) {
    outputs.push_back(kept.output.loss);
    output_gradients.push_back(at::ones_like(kept.output.loss));
  }
  const std::vector<at::Tensor> received = flowing(kept.input);
  for (const at::Tensor& tensor : received)
    if (tensor.defined() && tensor.requires_grad()) inputs.push_back(tensor);
  const std::size_t first_parameter = inputs.size();
  for (const int group : model_.units[static_cast<std::size_t>(unit)]->groups())
    if (model_.groups[static_cast<std::size_t>(group)].trainable)
      inputs.insert(inputs.end(), views_.weights(group).begin(), views_.weights(group).end());

  std::vector<at::Tensor> gradients(inputs.size());
  if (!outputs.empty() && !inputs.empty())
    gradients = torch::autograd::grad(outputs, inputs, output_gradients, {}, false, true);

  from_above.assign(received.size(), {});
  std::size_t next = 0;
  for (std::size_t i = 0; i < received.size(); ++i)
    if (received[i].defined() && received[i].requires_grad()) from_above[i] = std::move(gradients[next++]);
  write_gradients(unit, gradients, first_parameter, overwrite);
}

void UnitRunner::write_gradients(int unit, const std::vector<at::Tensor>& gradients, std::size_t first,
                                 std::uint32_t overwrite) const {
  const at::AutoGradMode record(false);
  const auto& groups = model_.units[static_cast<std::size_t>(unit)]->groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool write = (overwrite >> i & 1) != 0;
    for (const at::Tensor& into : views_.gradients(groups[i])) {
      const at::Tensor& gradient = gradients[first++];
      if (gradient.defined()) {
        write ? into.copy_(gradient) : into.add_(gradient);
      } else if (write) {
        into.zero_();
      }
    }
  }
}

double UnitRunner::loss() const {
  return std::accumulate(losses_.begin(), losses_.end(), 0.0);
}

}  // namespace trireme::sharding
