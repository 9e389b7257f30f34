#pragma once
#include <cstddef>
#include <cstdint>

#include "comm/codec/steps.h"

namespace trireme::comm::codec::kernels {

/// The largest magnitude of a block, as bits.
std::uint32_t largest(const float* block, std::size_t count);
std::uint32_t largest(const std::uint16_t* block, std::size_t count);

/// A block's numbers.
void quantise(const BlockFormat& format, const float* block, std::size_t count, float inverse,
              std::uint8_t* numbers);
void quantise(const BlockFormat& format, const std::uint16_t* block, std::size_t count, float inverse,
              std::uint8_t* numbers);

/// The sum of elements [begin, begin + count), which lie in one block; `begin` is even. Unfinished: neither
/// divided nor with its NaNs made equal.
void sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t begin, std::size_t count,
         float* out);

/// finish_sum of each, in place or to bf16.
void finish(const float* sums, std::size_t count, float divisor, float* out);
void finish(const float* sums, std::size_t count, float divisor, std::uint16_t* out);

}  // namespace trireme::comm::codec::kernels
