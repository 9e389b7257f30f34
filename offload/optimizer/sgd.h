#pragma once
#include <cstdint>

#include "offload/optimizer/updated_values.h"

namespace trireme::offload {

/// A run of elements of stochastic gradient descent, as torch.optim.SGD.
struct SgdRun : UpdatedValues {
  const float* gradient = nullptr;
  /// The momentum's; null: there is none.
  float* buffer = nullptr;
  std::int64_t count = 0;
  /// Gradients are multiplied by `scale`.
  float rate = 0, scale = 1, decay = 0, momentum = 0;
  /// The share of a gradient that the buffer takes: all of the first one, later 1 - dampening.
  float taken = 1;
  bool nesterov = false;
};

}  // namespace trireme::offload
