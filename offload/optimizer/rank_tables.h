#pragma once
#include <cstdint>

namespace trireme::offload {

/// The codes of one kind as tables that byte permutations can read. A rank is how many codes a magnitude's
/// one is away from zero's. Numbers and borders are cut into their four bytes, lowest first.
struct alignas(64) RankTables {
  explicit RankTables(bool is_signed);

  /// The magnitude of each rank; among signed codes the last one, 1, is left out (it would be the 129th).
  std::uint8_t numbers[4][256];
  /// The least magnitude whose code is of a higher rank.
  std::uint8_t borders[4][256];
  /// Between powers of ten the codes are equally far apart, so that ranks lie on straight lines. By the lower
  /// five bits of a magnitude's exponent: the two that meet there, the lower of which gives the rank or one
  /// less.
  float slopes[2][32], offsets[2][32];

  /// Codes start above it, and the lower five bits of exponents up to one's tell them apart.
  static constexpr std::uint32_t least_bits = (127u - 24u) << 23;
  static constexpr std::uint32_t greatest_bits = 127u << 23;
};

const RankTables& rank_tables(bool is_signed);

}  // namespace trireme::offload
