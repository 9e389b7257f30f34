#pragma once
#include <cstddef>
#include <span>

#include "comm/codec/coder.h"
#include "comm/codec/format.h"
#include "core/dtype.h"

namespace trireme::comm::codec {

/// Quantises `count` elements of f32, bf16 or f16 into format.bytes(count) bytes at `out`, four-byte aligned.
void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count, void* out);

void decode(const BlockFormat& format, const void* encoded, std::size_t count, void* out, DType dtype);

/// out = (first + second + …) / divisor, summed in fp32 in the order of `parts`.
void decode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                float divisor, void* out, DType dtype);

void decode_sum(const BlockFormat& format, const Parts& parts, std::size_t count, float divisor, void* out,
                DType dtype);

/// The sum of `parts` encoded again, without a pass through memory.
void recode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                const BlockFormat& out_format, void* out);
void recode_sum(const BlockFormat& format, const Parts& parts, std::size_t count,
                const BlockFormat& out_format, void* out);

/// Throws unless the format and type are ones that the codecs know.
void check(const BlockFormat& format, DType dtype);

/// The same results to the bit, one element at a time: what the vector kernels are tested against.
namespace reference {
void encode(const BlockFormat& format, const void* in, DType dtype, std::size_t count, void* out);
void decode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                float divisor, void* out, DType dtype);
void recode_sum(const BlockFormat& format, std::span<const void* const> parts, std::size_t count,
                const BlockFormat& out_format, void* out);
}  // namespace reference

}  // namespace trireme::comm::codec
