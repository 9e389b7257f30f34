#include "sharding/unit_runner.h"

#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
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

UnitRunner::UnitRunner(const Model& model, const Views& views, const at::Device& device)
    : model_(model), views_(views), device_(device) {
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

void UnitRunner::begin(const std::vector<Context>& micro_batches, Activations activations, bool inspect) {
  contexts_ = micro_batches;
  for (Context& context : contexts_)
    for (at::Tensor* tensor : {&context.tokens, &context.labels, &context.positions})
      if (tensor->defined()) *tensor = tensor->to(device_);
  activations_ = activations;
  inspect_ = inspect;
  not_finite_.reset();
  sink_->close();
  saved_.assign(micro_batches.size() * model_.units.size(), {});
  flow_.assign(micro_batches.size(), {});
  gradient_flow_.assign(micro_batches.size(), {});
  losses_.assign(saved_.size(), {});
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

Activation UnitRunner::compute(int unit, int micro_batch, const Activation& input, bool backward,
                               const std::shared_ptr<KeptPieces>& pieces) {
  const auto u = static_cast<std::size_t>(unit);
  Context context = contexts_[static_cast<std::size_t>(micro_batch)];
  // A slot is found when the gradient is there; before that it may hold another group's.
  if (at::GradMode::is_enabled()) context.gradients = sink_;
  context.in_backward = backward;
  context.kept = pieces;
  Activation made = model_.units[u]->forward(input, context, weights_[u]);
  if (inspect_) look_at_made(unit, micro_batch, made);
  return made;
}

void UnitRunner::look_at(int unit, int micro_batch, const at::Tensor& tensor, const std::string& what) {
  if (not_finite_ || !tensor.defined() || !tensor.is_floating_point()) return;
  const at::AutoGradMode record(false);
  if (!at::isfinite(tensor).all().item<bool>()) not_finite_ = {unit, micro_batch, what};
}

void UnitRunner::look_at_made(int unit, int micro_batch, const Activation& made) {
  look_at(unit, micro_batch, made.hidden, "its output");
  for (const at::Tensor& tensor : made.more) look_at(unit, micro_batch, tensor, "its output");
  look_at(unit, micro_batch, made.loss, "its loss");
}

void UnitRunner::look_at_gradients(int unit, int micro_batch) {
  for (const int group : model_.units[static_cast<std::size_t>(unit)]->groups()) {
    const auto& parameters = model_.groups[static_cast<std::size_t>(group)].parameters;
    const auto& gradients = views_.gradients(group);
    for (std::size_t p = 0; p < gradients.size(); ++p)
      look_at(unit, micro_batch, gradients[p], "the gradient of " + parameters[p].name);
  }
  for (const at::Tensor& tensor : gradient_flow_[static_cast<std::size_t>(micro_batch)])
    look_at(unit, micro_batch, tensor, "the gradient of its input");
}

void UnitRunner::note_loss(int unit, int micro_batch, const Activation& output) {
  if (output.loss.defined()) losses_[index(unit, micro_batch)] = output.loss.detach();
}

void UnitRunner::open_sink(int unit, std::uint32_t overwrite) {
  const auto& groups = model_.units[static_cast<std::size_t>(unit)]->groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const auto& weights = views_.weights(groups[i]);
    const auto& gradients = views_.gradients(groups[i]);
    for (std::size_t p = 0; p < gradients.size(); ++p)
      sink_->open(weights[p], gradients[p], (overwrite >> i & 1) == 0);
  }
}

void UnitRunner::forward(int unit, int micro_batch, bool train, bool keep) {
  const at::AutoGradMode record(keep);
  Activation& flow = flow_[static_cast<std::size_t>(micro_batch)];
  const Activation input = as_leaves(flow, keep && wants_input_gradient_[static_cast<std::size_t>(unit)]);
  if (waits_for_backward(unit, train)) {
    saved(unit, micro_batch) = {input, {}, false, nullptr};
    flow = {};
    return;
  }
  std::shared_ptr<KeptPieces> pieces;
  if (train && !keep && activations_ == Activations::recomputed_except_attention)
    pieces = std::make_shared<KeptPieces>();
  const Activation output = compute(unit, micro_batch, input, false, pieces);
  if (pieces) pieces->complete_now();
  note_loss(unit, micro_batch, output);
  flow = as_leaves(output, false);
  if (train) saved(unit, micro_batch) = {input, keep ? output : Activation{}, keep, pieces};
}

void UnitRunner::take_over_input(int unit, int micro_batch) {
  if (!device_.is_cuda()) return;
  const c10::Stream mine = c10::impl::VirtualGuardImpl(device_.type()).getStream(device_);
  for (const at::Tensor& tensor : flowing(kept_input(unit, micro_batch)))
    if (tensor.defined()) tensor.record_stream(mine);
}

void UnitRunner::pretend_input(int unit, int micro_batch, std::uint64_t bytes) {
  saved(unit, micro_batch).input.hidden = at::zeros({static_cast<std::int64_t>(bytes)}, at::kByte);
}

void UnitRunner::backward(int unit, int micro_batch, std::uint32_t overwrite) {
  const at::AutoGradMode record(true);
  Saved kept = std::move(saved(unit, micro_batch));
  saved(unit, micro_batch) = {};
  open_sink(unit, overwrite);
  if (!kept.has_output) {
    kept.input = as_leaves(kept.input, wants_input_gradient_[static_cast<std::size_t>(unit)]);
    kept.output = compute(unit, micro_batch, kept.input, true, kept.pieces);
    note_loss(unit, micro_batch, kept.output);
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
  if (inspect_) look_at_gradients(unit, micro_batch);
  sink_->close();
}

void UnitRunner::write_gradients(int unit, const std::vector<at::Tensor>& gradients, std::size_t first,
                                 std::uint32_t overwrite) {
  const at::AutoGradMode record(false);
  const auto& groups = model_.units[static_cast<std::size_t>(unit)]->groups();
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const bool write = (overwrite >> i & 1) != 0;
    const auto& into = views_.gradients(groups[i]);
    for (std::size_t p = 0; p < into.size(); ++p) {
      const at::Tensor& gradient = gradients[first++];
      const bool written = sink_->written(views_.weights(groups[i])[p]);
      if (gradient.defined()) {
        write && !written ? into[p].copy_(gradient) : into[p].add_(gradient);
      } else if (write && !written) {
        into[p].zero_();
      }
    }
  }
}

double UnitRunner::loss() const {
  std::vector<at::Tensor> losses;
  for (const at::Tensor& loss : losses_)
    if (loss.defined()) losses.push_back(loss.to(at::kDouble).reshape({}));
  if (losses.empty()) return 0;
  // One way to the host for all of them, since each would wait for the device.
  const at::Tensor here = at::stack(losses).to(at::kCPU);
  const auto* values = here.const_data_ptr<double>();
  return std::accumulate(values, values + here.numel(), 0.0);
}

}  // namespace trireme::sharding
