#pragma once
#include <cstdint>

namespace trireme::offload {

/// The codes of one kind as tables that byte permutations can read. A rank is how many codes a magnitude's
/// one is away from zero's. Numbers are cut into their four bytes, lowest first.
struct alignas(64) RankTables {
  explicit RankTables(bool is_signed);

  /// The magnitude of each rank; among signed codes the last one, 1, is left out (it would be the 129th).
  std::uint8_t numbers[4][256];
  /// The greatest magnitude whose code is of each rank.
  std::uint8_t lasts[4][256];
  /// Between powers of ten the codes are equally far apart, so that ranks lie on straight lines, each a fifth
  /// as steep as the one before: the lower of two neighbours gives the rank or one less. By the place of a
  /// magnitude's exponent above `least_word`: how far the line at its start is above rank 0 and how much a
  /// binade adds, and what a fifth of that line lacks of the next one (where there is none, more than any
  /// rank). In 256ths.
  std::uint16_t starts[32], rises[32], nexts[32];

  /// The upper halves of magnitudes: codes start above the one, 1 is the other.
  static constexpr std::uint16_t least_word = (127u - 24u) << 7, greatest_word = 127u << 7;
};

const RankTables& rank_tables(bool is_signed);

}  // namespace trireme::offload
