#pragma once
#include <cstddef>
#include <cstdint>

#include <math.h>

// The arithmetic of the wire codecs, one element or block at a time. The scalar reference, the vector kernels
// and the CUDA kernels all follow it to the bit, so files that use it are compiled without contraction to
// fused multiply-add.
#ifdef __CUDACC__
#define TRIREME_HD __host__ __device__
#else
#define TRIREME_HD
#endif

namespace trireme::comm::codec {

/// Blocks of elements that share one fp32 scale. Encoded: the scales of all blocks, then their numbers, then
/// zeros up to a multiple of four bytes. A 4-bit number lies in the lower half of its byte when its index is
/// even.
struct BlockFormat {
  /// 8 or 4.
  int bits = 8;
  /// Elements; even.
  std::uint32_t block = 512;

  /// Numbers run from -levels to levels.
  TRIREME_HD int levels() const { return bits == 8 ? 127 : 7; }
  TRIREME_HD std::size_t blocks(std::size_t count) const { return (count + block - 1) / block; }
  TRIREME_HD std::size_t scale_bytes(std::size_t count) const { return blocks(count) * sizeof(float); }
  TRIREME_HD std::size_t number_bytes(std::size_t count) const { return bits == 8 ? count : (count + 1) / 2; }
  TRIREME_HD std::size_t bytes(std::size_t count) const {
    return scale_bytes(count) + (number_bytes(count) + 3) / 4 * 4;
  }
  bool operator==(const BlockFormat&) const = default;
};

/// qwZ: parameters on their way to be gathered. 0.508 of the bytes of bf16.
constexpr BlockFormat int8_blocks{8, 512};
/// qgZ: gradients on their way to be reduced. 0.258 of the bytes of bf16.
constexpr BlockFormat int4_blocks{4, 256};

constexpr std::uint32_t infinity_bits = 0x7f800000u;
constexpr std::uint32_t nan_bits = 0x7fc00000u;
/// 2^-110: blocks that hold nothing larger become zeros, so that neither the scale nor its inverse leaves
/// fp32's range.
constexpr std::uint32_t smallest_bits = 17u << 23;

TRIREME_HD inline std::uint32_t bits_of(float value) {
  return __builtin_bit_cast(std::uint32_t, value);
}
TRIREME_HD inline float float_of(std::uint32_t bits) {
  return __builtin_bit_cast(float, bits);
}
/// Orders as magnitudes do, with infinity and then NaN above all numbers.
TRIREME_HD inline std::uint32_t magnitude(float value) {
  return bits_of(value) & 0x7fffffffu;
}

struct Scale {
  float scale;
  float inverse;
};

/// From the largest magnitude of a block. A block with an infinity or a NaN gets the scale NaN and zeros, so
/// that all of it decodes to NaN and whoever looks for overflow finds it.
TRIREME_HD inline Scale scale_of(std::uint32_t largest, int levels) {
  if (largest >= infinity_bits) return {float_of(nan_bits), 0.0f};
  if (largest < smallest_bits) return {0.0f, 0.0f};
  return {float_of(largest) / static_cast<float>(levels), static_cast<float>(levels) / float_of(largest)};
}

/// To nearest, ties to even. An inverse of zero gives zero whatever the value.
TRIREME_HD inline int quantise(float value, float inverse) {
  return inverse == 0.0f ? 0 : static_cast<int>(rintf(value * inverse));
}
TRIREME_HD inline float dequantise(int number, float scale) {
  return static_cast<float>(number) * scale;
}

TRIREME_HD inline std::uint8_t pack_pair(int even, int odd) {
  return static_cast<std::uint8_t>((even & 15) | (odd & 15) << 4);
}
TRIREME_HD inline int unpack(std::uint8_t pair, bool odd) {
  const int number = odd ? pair >> 4 : pair & 15;
  return (number ^ 8) - 8;
}

/// What a sum becomes: divided (by 1 for a plain sum), and every NaN the same NaN.
TRIREME_HD inline float finish_sum(float sum, float divisor) {
  const float result = sum / divisor;
  return magnitude(result) > infinity_bits ? float_of(nan_bits) : result;
}

/// bf16 travels as its bits.
TRIREME_HD inline float widen(float value) {
  return value;
}
TRIREME_HD inline float widen(std::uint16_t bf16) {
  return float_of(static_cast<std::uint32_t>(bf16) << 16);
}
TRIREME_HD inline void narrow(float value, float& out) {
  out = value;
}
TRIREME_HD inline void narrow(float value, std::uint16_t& out) {
  const std::uint32_t bits = bits_of(value);
  out = magnitude(value) > infinity_bits
            ? static_cast<std::uint16_t>(bits >> 16 | 0x40u)
            : static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace trireme::comm::codec
