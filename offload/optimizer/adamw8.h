#pragma once
#include <cstdint>

#include "offload/optimizer/adamw.h"

namespace trireme::offload {

/// Elements that share one scale.
constexpr std::int64_t state_block = 256;

/// A run of elements that starts at a block. Mean (signed codes) and square (unsigned codes) take a byte each
/// and a scale for each block: the largest magnitude in it, of which the codes are parts.
struct AdamW8Run : UpdatedValues {
  const void* gradient = nullptr;
  DType gradient_type = DType::f32;
  std::uint8_t* mean = nullptr;
  std::uint8_t* square = nullptr;
  float* mean_scale = nullptr;
  float* square_scale = nullptr;
  std::int64_t count = 0;
};

/// AdamW with states in bitsandbytes' blockwise 8-bit form. State of zeros everywhere, scales included, is a
/// fresh one. The same bits on every instruction set.
void adamw8(const AdamWFactors& factors, const AdamW8Run& run);

namespace reference {
/// The same, one element at a time.
void adamw8(const AdamWFactors& factors, const AdamW8Run& run);
}  // namespace reference

}  // namespace trireme::offload
