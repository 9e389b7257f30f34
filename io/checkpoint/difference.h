#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoint/checkpoint.h"

namespace trireme::io {

/// How one tensor of a checkpoint differs from that of another.
struct Difference {
  enum class Kind : std::uint8_t { only_in_first, only_in_second, type_or_shape, values };
  std::string tensor;
  Kind kind = Kind::values;
  std::uint64_t elements = 0;  ///< how many differ
  std::uint64_t first = 0;     ///< position of the first of them in the flattened tensor
  double largest = 0;          ///< absolute difference; infinite where only one is not a number
};

struct Comparison {
  std::size_t equal = 0;  ///< tensors
  std::vector<Difference> differences;
  std::uint64_t bytes_read = 0;
};

/// Compares all tensors. Those that are cut alike and have equal digests are not read; the others are, a few
/// MiB at a time, with their digests checked.
Comparison compare(const Checkpoint& one, const Checkpoint& other);

}  // namespace trireme::io
