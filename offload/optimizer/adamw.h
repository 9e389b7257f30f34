#pragma once
#include <cstdint>

#include "offload/optimizer/updated_values.h"

namespace trireme::offload {

/// What a user chooses, and what changes from step to step.
struct AdamWStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0;
  /// Gradients are multiplied by it: clipping, and one over the loss scale.
  double gradient_scale = 1;
  /// Counted from 1.
  std::int64_t step = 1;
};

/// A step's factors as the arithmetic uses them, computed in double and rounded once.
struct AdamWFactors {
  explicit AdamWFactors(const AdamWStep& step);
  float beta1, beta2, rest1, rest2, epsilon;
  float keep;        ///< 1 - rate · decay
  float step_size;   ///< rate / (1 - beta1^t)
  float root_scale;  ///< 1 / sqrt(1 - beta2^t)
  float gradient_scale;
  float mean_gain, root_gain;  ///< gradient_scale · (1 - beta1), · sqrt(1 - beta2)
};

/// A run of elements.
struct AdamWRun : UpdatedValues {
  const void* gradient = nullptr;
  DType gradient_type = DType::f32;
  float* mean = nullptr;
  float* square = nullptr;
  std::int64_t count = 0;
};

/// torch.optim.AdamW's order of operations, nothing fused, so that every instruction set, any cut into runs
/// and the reference give the same bits.
void adamw(const AdamWFactors& factors, const AdamWRun& run);

namespace reference {
/// The same, one element at a time.
void adamw(const AdamWFactors& factors, const AdamWRun& run);
}  // namespace reference

}  // namespace trireme::offload
