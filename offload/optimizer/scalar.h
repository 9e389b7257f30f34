#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/dtype.h"
#include "offload/optimizer/adamw.h"

// One element's arithmetic: the meaning that the vector kernels share with the references.
namespace trireme::offload::scalar {

inline float load(const void* from, DType type, std::int64_t i) {
  switch (type) {
    case DType::bf16:
      return static_cast<float>(static_cast<const BFloat16*>(from)[i]);
    case DType::f16:
      return static_cast<float>(static_cast<const Float16*>(from)[i]);
    default:
      return static_cast<const float*>(from)[i];
  }
}

inline void store(void* into, DType type, std::int64_t i, float value) {
  switch (type) {
    case DType::bf16:
      static_cast<BFloat16*>(into)[i] = BFloat16(value);
      return;
    case DType::f16:
      static_cast<Float16*>(into)[i] = Float16(value);
      return;
    default:
      static_cast<float*>(into)[i] = value;
  }
}

/// What the values of a block are multiplied by to become parts of `scale`: a division an element would be
/// the slowest thing of an update. Nothing is left of a block whose scale has no ordinary inverse.
inline float inverse_scale(float scale) {
  return scale >= std::numeric_limits<float>::min() ? 1.0f / scale : 0.0f;
}

/// Moves mean and square on and returns the new value of the parameter.
inline float update(const AdamWFactors& f, float value, float gradient, float& mean, float& square) {
  gradient = gradient * f.gradient_scale;
  mean = f.beta1 * mean + f.rest1 * gradient;
  square = f.beta2 * square + f.rest2 * gradient * gradient;
  const float denominator = std::sqrt(square) * f.root_scale + f.epsilon;
  return value * f.keep - f.step_size * (mean / denominator);
}

}  // namespace trireme::offload::scalar
