#pragma once
#include <array>
#include <cstdint>

namespace trireme::offload {

/// The 256 numbers of bitsandbytes' dynamic data type, ascending from -0.993 (signed) or 0 (unsigned) to 1:
/// the smaller a number, the more bits tell its exponent and the fewer its fraction.
const std::array<float, 256>& dynamic_codes(bool is_signed);

/// The index of the code nearest to `value`, which is in [-1, 1]; of two equally near the one nearer to zero.
std::uint8_t nearest_code(bool is_signed, float value);

/// The same from the bits of a number's magnitude, without a search. A bucket is what magnitudes with equal
/// upper 16 bits have in common; no bucket holds more than one border between codes.
class CodeFinder {
 public:
  static constexpr int bucket_shift = 16;
  /// 2^-24: everything below is nearest to zero.
  static constexpr std::uint32_t first_bucket = (127u - 24u) << 7;
  static constexpr std::size_t buckets = (std::size_t{24} << 7) + 1;

  explicit CodeFinder(bool is_signed);
  /// For each bucket: how many codes its lowest magnitude is away from zero (low 8 bits), and from which
  /// value of the lower 16 bits on it is one more (the bits above; 0x10000: nowhere).
  const std::uint32_t* entries() const { return entries_.data(); }
  /// The greatest distance from zero of a negative number.
  static constexpr std::uint8_t most_negative = 127;
  /// Zero's own code among the signed ones.
  static constexpr std::uint8_t signed_zero = 127;

 private:
  std::array<std::uint32_t, buckets> entries_;
};

const CodeFinder& code_finder(bool is_signed);

/// All that AdamW's states need: signed codes for the mean, unsigned ones for the square.
struct CodeTables {
  const float *mean_codes, *square_codes;
  const std::uint32_t *mean_entries, *square_entries;
};

}  // namespace trireme::offload
