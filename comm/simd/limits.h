#pragma once
#include <cstddef>

namespace trireme::comm::limits {

/// What an operation reads and writes must not fit the caches by far before storing around them pays; a first
/// choice, not swept yet.
inline constexpr std::size_t streamed_bytes = std::size_t{32} << 20;

}  // namespace trireme::comm::limits
