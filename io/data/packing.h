#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace trireme::io {

/// Documents that share rows of a fixed length: bin b holds documents[ends[b - 1] … ends[b]).
struct Packing {
  std::vector<std::uint32_t> documents;
  std::vector<std::uint64_t> ends;
  /// Tokens over the room that all bins have.
  double fullness = 0;

  std::uint64_t bins() const { return ends.size(); }
  std::span<const std::uint32_t> bin(std::uint64_t index) const {
    const std::uint64_t begin = index == 0 ? 0 : ends[index - 1];
    return std::span(documents).subspan(begin, ends[index] - begin);
  }
};

/// Best fit, longest document first; depends on the lengths alone. No length is above `capacity`. Takes time
/// in proportion to documents times the logarithm of the capacity.
Packing pack(std::span<const std::uint32_t> lengths, std::uint32_t capacity);

}  // namespace trireme::io
