#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/dtype.h"
#include "offload/optimizer/adamw.h"
#include "offload/optimizer/halves.h"

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

inline float value(const UpdatedValues& values, std::int64_t i) {
  return values.lower ? joined({static_cast<const BFloat16*>(values.copy)[i], values.lower[i]})
                      : values.master[i];
}

inline void put(const UpdatedValues& values, std::int64_t i, float value) {
  const bool rounds = values.copy && values.copy_type == DType::bf16;
  const float kept = rounds ? splittable(value) : value;
  if (values.lower) {
    const Halves halves = halves_of(kept);
    static_cast<BFloat16*>(values.copy)[i] = halves.nearest, values.lower[i] = halves.lower;
    return;
  }
  values.master[i] = kept;
  if (values.copy) store(values.copy, values.copy_type, i, kept);
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

/// The same where moments are a code's number and its block's scale: factors take the scales in and sums take
/// products in whole, which leaves out a third of the operations.
inline float moved_mean(const AdamWFactors& f, float number, float scale, float gradient) {
  return std::fma(number, f.beta1 * scale, gradient * f.mean_gain);
}
inline float moved_square(const AdamWFactors& f, float number, float scale, float gradient) {
  const float added = gradient * f.root_gain;
  return std::fma(added, added, number * (f.beta2 * scale));
}
inline float moved_value(const AdamWFactors& f, float value, float mean, float square) {
  const float denominator = std::fma(std::sqrt(square), f.root_scale, f.epsilon);
  return std::fma(-f.step_size, mean / denominator, value * f.keep);
}

}  // namespace trireme::offload::scalar
