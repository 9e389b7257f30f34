#pragma once
#include <cstdint>

namespace trireme::io {

/// A shuffled order of [0, size) that is computed for each place alone and needs no memory: a Feistel network
/// over the next power of four, walked until it lands inside.
class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t seed);
  std::uint64_t operator()(std::uint64_t place) const;

 private:
  std::uint64_t size_, seed_;
  unsigned half_bits_ = 1;
};

}  // namespace trireme::io
