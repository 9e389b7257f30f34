#pragma once
#include <bit>
#include <cstdint>

#include "core/dtype.h"

// An fp32 value kept as the bf16 that is nearest to it and its own lower 16 bits: rounding moves the upper
// half by a carry at most, and the first of the lower bits tells whether it did. So where the rounded value
// is kept anyway, the exact one costs two bytes more.
namespace trireme::offload {

struct Halves {
  BFloat16 nearest;
  std::uint16_t lower = 0;
};

/// The values that halves can hold: all but those exactly between two bf16 of which the one nearer to zero is
/// even, which move by a unit in their last place towards it, and bits of not-a-number below the upper half.
/// Masters of bf16 parameters are made so wherever they lie, for equal bits on every tier.
constexpr float splittable(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return std::bit_cast<float>((bits & 0xffff0000u) | 0x00400000u);
  return std::bit_cast<float>(bits - ((bits & 0x1ffffu) == 0x8000u ? 1u : 0u));
}

/// Of a splittable value. No tie is left that rounds down, so half a unit more and a cut round to nearest
/// even.
constexpr Halves halves_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  Halves halves;
  halves.nearest.bits = static_cast<std::uint16_t>((bits + 0x8000u) >> 16);
  halves.lower = static_cast<std::uint16_t>(bits);
  return halves;
}

constexpr float joined(Halves halves) {
  const auto carried = static_cast<std::int32_t>(static_cast<std::int16_t>(halves.lower));
  return std::bit_cast<float>((static_cast<std::uint32_t>(halves.nearest.bits) << 16) +
                              static_cast<std::uint32_t>(carried));
}

void make_splittable(float* values, std::int64_t count);
/// Makes the values splittable on the way.
void split(const float* from, BFloat16* nearest, std::uint16_t* lower, std::int64_t count);
void join(const BFloat16* nearest, const std::uint16_t* lower, float* into, std::int64_t count);
/// `into` is not wanted in the caches.
void join_past_caches(const BFloat16* nearest, const std::uint16_t* lower, float* into, std::int64_t count);

}  // namespace trireme::offload
