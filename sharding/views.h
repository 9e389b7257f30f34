#pragma once
#include <vector>

#include "sharding/blueprint.h"
#include "sharding/group_state.h"
#include "sharding/slots.h"
#include "sharding/unit.h"

namespace trireme::sharding {

/// Each group's parameters and gradients as tensors over the memory where they are when a unit computes. Made
/// once.
class Views {
 public:
  Views(const Model& model, const Blueprint& blueprint, const std::vector<GroupState>& states,
        const Slots& parameters, const Slots& gradients, const at::Device& device);

  /// One tensor a parameter; they require gradients where the group is trained.
  const std::vector<at::Tensor>& weights(int group) const {
    return weights_[static_cast<std::size_t>(group)];
  }
  /// fp32, over the group's whole gradient.
  const std::vector<at::Tensor>& gradients(int group) const {
    return gradients_[static_cast<std::size_t>(group)];
  }

 private:
  std::vector<std::vector<at::Tensor>> weights_;
  std::vector<std::vector<at::Tensor>> gradients_;
};

}  // namespace trireme::sharding
