#pragma once
#include <cstddef>
#include <vector>

namespace trireme::comm::bench {

/// begin, begin × factor, … up to `end`, which is included when it is met. Throws a usage error for an empty
/// or endless series.
std::vector<std::size_t> size_series(std::size_t begin, std::size_t end, double factor);

}  // namespace trireme::comm::bench
