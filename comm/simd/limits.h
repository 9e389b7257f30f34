#pragma once
#include <cstddef>

namespace trireme::comm::limits {

/// An operation that reads and writes this much stores around the caches. Swept from 4 to 32 MiB on two cores
/// that share 32 MiB of third-level cache: below, an all-reduce of 4 MiB loses a quarter; above, all-gather
/// and reduce-scatter of 16 MiB lose half.
inline constexpr std::size_t streamed_bytes = std::size_t{12} << 20;

}  // namespace trireme::comm::limits
