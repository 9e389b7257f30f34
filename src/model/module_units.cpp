#include "model/module_units.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/module.h>

#include "core/error.h"

namespace trireme::model {
namespace {

using sharding::Activation;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// The tensors of an activation that are there, and which those are.
struct Flat {
  variable_list tensors;
  std::vector<char> there;

  explicit Flat(const Activation& activation) {
    take(activation.hidden), take(activation.loss);
    for (const at::Tensor& tensor : activation.more) take(tensor);
  }
  Activation like(const variable_list& given) const {
    std::size_t next = 0, place = 0;
    const auto one = [&] { return there[place++] ? given[next++] : at::Tensor(); };
    Activation made;
    made.hidden = one(), made.loss = one();
    while (place < there.size()) made.more.push_back(one());
    return made;
  }

 private:
  void take(const at::Tensor& tensor) {
    there.push_back(tensor.defined());
    if (tensor.defined()) tensors.push_back(tensor);
  }
};

/// One call of a module: its parameters are leaves of a graph of their own, whose gradients are handed on to
/// the engine's views of the same memory.
struct Call {
  const ModuleForward* forward;
  const sharding::Context* context;
  const std::vector<at::Tensor>* parameters;
  const Flat* input;
  std::optional<Flat> output;
};

variable_list as_leaves(at::TensorList tensors) {
  variable_list leaves;
  for (const at::Tensor& tensor : tensors)
    leaves.push_back(tensor.detach().requires_grad_(tensor.requires_grad()));
  return leaves;
}

struct ModuleFunction : torch::autograd::Function<ModuleFunction> {
  static variable_list forward(AutogradContext* context, at::TensorList inputs, at::TensorList, Call* call) {
    const variable_list leaves = as_leaves(inputs);
    {
      const at::AutoGradMode recording(true);
      call->output.emplace((*call->forward)(call->input->like(leaves), *call->context));
    }
    variable_list handed, fixed;
    for (const at::Tensor& tensor : call->output->tensors) {
      handed.push_back(tensor.detach());
      if (!tensor.requires_grad()) fixed.push_back(handed.back());
    }
    context->mark_non_differentiable(fixed);
    context->saved_data["leaves"] = leaves, context->saved_data["parameters"] = *call->parameters;
    context->saved_data["outputs"] = call->output->tensors;
    return handed;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto list = [&](const char* name) { return context->saved_data[name].toTensorVector(); };
    const variable_list outputs = list("outputs");
    variable_list wanted = list("leaves");
    const variable_list parameters = list("parameters");
    wanted.insert(wanted.end(), parameters.begin(), parameters.end());
    variable_list from, from_gradients, to;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      if (outputs[i].requires_grad() && gradients[i].defined())
        from.push_back(outputs[i]), from_gradients.push_back(gradients[i]);
    for (const at::Tensor& tensor : wanted)
      if (tensor.requires_grad()) to.push_back(tensor);
    variable_list made(to.size());
    if (!from.empty() && !to.empty()) made = torch::autograd::grad(from, to, from_gradients, {}, false, true);
    variable_list result;
    std::size_t next = 0;
    for (const at::Tensor& tensor : wanted)
      result.push_back(tensor.requires_grad() ? made[next++] : at::Tensor());
    result.emplace_back();
    return result;
  }
};

class ModuleUnit final : public sharding::Unit {
 public:
  ModuleUnit(std::string name, std::vector<int> groups, std::shared_ptr<torch::nn::Module> module,
             std::vector<std::vector<at::Tensor>> parameters, ModuleForward forward)
      : name_(std::move(name)),
        groups_(std::move(groups)),
        module_(std::move(module)),
        parameters_(std::move(parameters)),
        forward_(std::move(forward)) {
    for (const auto& group : parameters_) all_.insert(all_.end(), group.begin(), group.end());
  }
  const std::string& name() const override { return name_; }
  const std::vector<int>& groups() const override { return groups_; }

  Activation forward(const Activation& input, const sharding::Context& context,
                     const sharding::Weights& weights) const override {
    lay_over(weights);
    if (module_->is_training() != context.training) module_->train(context.training);
    if (!at::GradMode::is_enabled()) return forward_(input, context);
    const Flat flat(input);
    variable_list given;
    for (const auto& group : weights) given.insert(given.end(), group.begin(), group.end());
    Call call{&forward_, &context, &all_, &flat, {}};
    const variable_list handed =
        ModuleFunction::apply(at::TensorList(flat.tensors), at::TensorList(given), &call);
    return call.output->like(handed);
  }

 private:
  /// The module's parameters become the engine's memory; slots stay where they are, so this happens once.
  void lay_over(const sharding::Weights& weights) const {
    for (std::size_t group = 0; group < weights.size(); ++group)
      for (std::size_t i = 0; i < weights[group].size(); ++i) {
        at::Tensor parameter = parameters_[group][i];
        if (parameter.const_data_ptr() != weights[group][i].const_data_ptr())
          parameter.set_data(weights[group][i].detach());
      }
    for (at::Tensor& buffer : module_->buffers())
      if (buffer.device() != all_.front().device()) buffer.set_data(buffer.to(all_.front().device()));
  }

  std::string name_;
  std::vector<int> groups_;
  std::shared_ptr<torch::nn::Module> module_;
  std::vector<std::vector<at::Tensor>> parameters_;
  std::vector<at::Tensor> all_;
  ModuleForward forward_;
};

}  // namespace

void ModuleUnits::add(const std::string& name, const std::shared_ptr<torch::nn::Module>& module,
                      ModuleForward forward) {
  std::vector<int> groups;
  std::vector<std::vector<at::Tensor>> parameters;
  for (const bool trainable : {true, false}) {
    sharding::ParamGroup group;
    group.name = trainable ? name : name + ".frozen";
    group.trainable = trainable;
    std::vector<at::Tensor> tensors;
    for (const auto& entry : module->named_parameters()) {
      const at::Tensor& tensor = entry.value();
      if (tensor.requires_grad() != trainable) continue;
      if (tensor.scalar_type() != at::kFloat || !tensor.is_contiguous())
        fail(ExitCode::configuration, "the parameter {} of the unit {} is not a contiguous float tensor",
             entry.key(), name);
      group.parameters.push_back({name + "." + entry.key(), tensor.sizes().vec()});
      values_.emplace_back(group.parameters.back().name, tensor.detach());
      tensors.push_back(tensor);
    }
    if (tensors.empty()) continue;
    groups.push_back(static_cast<int>(model_.groups.size()));
    model_.groups.push_back(std::move(group));
    parameters.push_back(std::move(tensors));
  }
  if (groups.empty()) fail(ExitCode::configuration, "the unit {} has no parameters", name);
  model_.units.push_back(std::make_unique<ModuleUnit>(name, std::move(groups), module, std::move(parameters),
                                                      std::move(forward)));
}

sharding::ReadFloats ModuleUnits::starting_values() const {
  return [values = values_](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
    const auto found = std::find_if(values.begin(), values.end(),
                                    [&](const auto& entry) { return entry.first == parameter.name; });
    require(found != values.end(), "no module has the parameter {}", parameter.name);
    std::copy_n(found->second.const_data_ptr<float>() + begin, into.size(), into.begin());
  };
}

}  // namespace trireme::model
