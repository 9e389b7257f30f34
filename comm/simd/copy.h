#pragma once
#include <cstddef>

namespace trireme::comm::simd {

/// memcpy; past a size that the caches would not keep anyway it stores around them, which saves reading the
/// destination first.
void copy(void* to, const void* from, std::size_t bytes);

}  // namespace trireme::comm::simd
