#include "io/checkpoint/blocks.h"

#include <algorithm>

namespace trireme::io {

std::vector<Block> blocks_of(const std::vector<std::uint64_t>& shape, std::uint64_t begin,
                             std::uint64_t count) {
  std::vector<std::uint64_t> stride(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) stride[d - 1] = stride[d] * shape[d];
  std::vector<Block> blocks;
  const std::uint64_t end = begin + count;
  for (std::uint64_t at = begin; at < end;) {
    // The outermost dimension whose steps both start here and fit before the end.
    std::size_t d = 0;
    while (at % stride[d] != 0 || at + stride[d] > end) ++d;
    const std::uint64_t index = at / stride[d] % shape[d];
    const std::uint64_t steps = std::min(shape[d] - index, (end - at) / stride[d]);
    Block block{std::vector<std::uint64_t>(shape.size(), 0), std::vector<std::uint64_t>(shape.size(), 1),
                at - begin, steps * stride[d]};
    for (std::size_t k = 0; k <= d; ++k) block.start[k] = at / stride[k] % shape[k];
    block.count[d] = steps;
    for (std::size_t k = d + 1; k < shape.size(); ++k) block.count[k] = shape[k];
    at += block.elements;
    blocks.push_back(std::move(block));
  }
  return blocks;
}

}  // namespace trireme::io
