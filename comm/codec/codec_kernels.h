#pragma once
#include <cstddef>
#include <cstdint>

#include "comm/codec/steps.h"

namespace trireme::comm::codec::kernels {

/// The scales and numbers of `count` elements; padding is not written.
void encode(const BlockFormat& format, const float* in, std::size_t count, float* scales,
            std::uint8_t* numbers);
void encode(const BlockFormat& format, const std::uint16_t* in, std::size_t count, float* scales,
            std::uint8_t* numbers);

/// finish_sum of each element's sum.
void decode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                float divisor, float* out);
void decode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                float divisor, std::uint16_t* out);

/// `sums` has room for a block of `out_format`.
void recode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                const BlockFormat& out_format, float* sums, float* scales, std::uint8_t* numbers);

}  // namespace trireme::comm::codec::kernels
