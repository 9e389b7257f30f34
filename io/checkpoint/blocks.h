#pragma once
#include <cstdint>
#include <vector>

namespace trireme::io {

/// A box of a tensor: for each dimension where it starts and how far it goes. Its elements are a run of the
/// flattened tensor.
struct Block {
  std::vector<std::uint64_t> start, count;
  std::uint64_t first = 0;  ///< position of its first element in the run
  std::uint64_t elements = 0;
};

/// Cuts elements [begin, begin + count) of the flattened tensor into the fewest boxes: part of a row, whole
/// rows, part of a row, in each dimension.
std::vector<Block> blocks_of(const std::vector<std::uint64_t>& shape, std::uint64_t begin,
                             std::uint64_t count);

}  // namespace trireme::io
