#include "comm/simd/reduce.h"

namespace trireme::comm::simd {

void reduce(std::span<const void* const> in, void* out, std::size_t count, DType dtype, Reduction reduction) {
  reference::reduce(in, out, count, dtype, reduction);
}

}  // namespace trireme::comm::simd
