#pragma once
#include <cstddef>
#include <cstdint>

namespace trireme::offload {

/// Codes as bytes cut out of a float, z: bits 16 to 23 are the code plus one, bits 0 to 15 how far it is to
/// the next code. So codes below 127 begin at 129 + code, and others, where floats are half as dense, at
/// 2 * (code + 1).
constexpr float place_of(std::size_t code) {
  return static_cast<float>(code < 127 ? code + 129 : 2 * (code + 1));
}

/// The codes of one kind as tables that permutations can read.
///
/// Between powers of ten codes are equally far apart, so that z lies on straight lines over the parts of a
/// scale. Which line is told by a part's upper half: from `least_word` on, one of equally long buckets (among
/// signed codes the last 64 are those of negative parts), each of which has one line through all borders
/// between codes that it holds.
struct alignas(64) RankTables {
  explicit RankTables(bool is_signed);

  /// The magnitude of each rank, which is how many codes it is away from zero's; cut into its four bytes,
  /// lowest first. Among signed codes the last one, 1, stands at zero's place (it would be the 129th).
  std::uint8_t numbers[4][256];
  std::uint8_t line_of[128];
  float slopes[32], starts[32];
  /// A word for each of 32 parts.
  std::uint16_t least_word[32], buckets_per_65536_words[32], magnitude[32], half[32], uppers_by_turns[32];
  /// What parts are multiplied by before, so that at the border to the last code, which is on no line, a part
  /// itself is z.
  float raised;

  /// How close below a multiple of 2^16 the bits of z are where the line may be wrong.
  static constexpr std::uint16_t doubtful = 12;
};

const RankTables& rank_tables(bool is_signed);

}  // namespace trireme::offload
