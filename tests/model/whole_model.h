#pragma once
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/build.h"
#include "sharding/unit.h"
#include "train/pretrained.h"

namespace trireme::testing {

/// A model with its weights as leaf tensors: one plain autograd graph over all units.
struct WholeModel {
  sharding::Model model;
  std::vector<std::vector<at::Tensor>> weights;

  sharding::Activation forward(const sharding::Context& context) const {
    sharding::Activation activation;
    at::Tensor loss;
    for (const auto& unit : model.units) {
      sharding::Weights own;
      for (const int group : unit->groups()) own.push_back(weights[static_cast<std::size_t>(group)]);
      activation = unit->forward(activation, context, own);
      if (activation.loss.defined()) loss = loss.defined() ? loss + activation.loss : activation.loss;
    }
    activation.loss = loss;
    return activation;
  }

  /// Gradients of `scalar` by parameter name; every parameter must have one.
  std::map<std::string, at::Tensor> gradients(const at::Tensor& scalar) const {
    std::vector<at::Tensor> leaves;
    for (const auto& group : weights) leaves.insert(leaves.end(), group.begin(), group.end());
    const auto values = torch::autograd::grad({scalar}, leaves);
    std::map<std::string, at::Tensor> result;
    std::size_t next = 0;
    for (const auto& group : model.groups)
      for (const auto& parameter : group.parameters) result.emplace(parameter.name, values[next++]);
    return result;
  }
};

template <typename Fill>
WholeModel make_whole(sharding::Model model, at::ScalarType type, Fill fill) {
  WholeModel whole{std::move(model), {}};
  for (const auto& group : whole.model.groups) {
    std::vector<at::Tensor> tensors;
    for (const auto& parameter : group.parameters) {
      at::Tensor tensor = at::empty(parameter.shape, at::kFloat);
      fill(parameter.name, tensor);
      tensors.push_back(tensor.to(type).requires_grad_(true));
    }
    whole.weights.push_back(std::move(tensors));
  }
  return whole;
}

inline std::span<std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

inline WholeModel load_whole(const train::Pretrained& pretrained, at::ScalarType stored = at::kFloat,
                             at::ScalarType compute = at::kFloat) {
  return make_whole(model::build_model(pretrained.spec(), compute), stored,
                    [&](const std::string& name, const at::Tensor& tensor) {
                      pretrained.read(name, 0, DType::f32, bytes_of(tensor));
                    });
}

inline at::Tensor row_positions(const at::Tensor& tokens) {
  return at::arange(tokens.size(1), at::kLong).expand(tokens.sizes()).contiguous();
}

/// Labels as a data set gives them, moved so that labels[t] is what position t predicts.
inline at::Tensor shifted(const at::Tensor& labels) {
  return at::cat({labels.narrow(1, 1, labels.size(1) - 1), at::full({labels.size(0), 1}, -100, at::kLong)},
                 1);
}

}  // namespace trireme::testing
