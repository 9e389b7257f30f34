#include "comm/simd/copy.h"

#include <cstring>

namespace trireme::comm::simd {

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

}  // namespace trireme::comm::simd
