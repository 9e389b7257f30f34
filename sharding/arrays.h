#pragma once
#include <cstddef>
#include <cstdint>

#include "comm/buffer.h"
#include "core/dtype.h"

namespace trireme::sharding {

/// Zeroed memory at cache-line bounds that no collective touches.
comm::Buffer host_buffer(std::size_t bytes);

/// `into` += `from`.
void add(float* into, const float* from, std::int64_t count);
/// The sum of squares in a fixed order, so that it is the same from run to run.
double sum_of_squares(const float* values, std::int64_t count);
/// Writes floats as fp32, bf16, fp16 or (whole numbers of 0 to 255) bytes.
void store(const float* from, void* into, DType dtype, std::int64_t count);
/// The same back.
void load(const void* from, DType dtype, float* into, std::int64_t count);

inline std::byte* offset_by(void* data, std::int64_t elements, DType dtype) {
  return static_cast<std::byte*>(data) + elements * static_cast<std::int64_t>(size_of(dtype));
}

}  // namespace trireme::sharding
