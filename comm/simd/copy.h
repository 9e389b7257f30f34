#pragma once
#include <cstddef>

namespace trireme::comm::simd {

/// memcpy; past a size that the caches would not keep anyway it stores around them, which saves reading the
/// destination first.
void copy(void* to, const void* from, std::size_t bytes);
/// Always around the caches: one of many parts of a whole that is larger than they are.
void copy_past_caches(void* to, const void* from, std::size_t bytes);

}  // namespace trireme::comm::simd
