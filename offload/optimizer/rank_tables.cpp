#include "offload/optimizer/rank_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "offload/optimizer/dynamic_codes.h"

namespace trireme::offload {
namespace {

constexpr std::size_t last_code = 255;

void cut(std::uint32_t bits, std::uint8_t (&bytes)[4][256], std::size_t place) {
  for (unsigned byte = 0; byte < 4; ++byte)
    bytes[byte][place] = static_cast<std::uint8_t>(bits >> (8 * byte));
}

struct Line {
  double slope, start;
  double at(double part) const { return start + part * slope; }
};

/// Finds lines for stretches of raised parts.
class Lines {
 public:
  Lines(bool is_signed, float& raised) {
    const auto& codes = dynamic_codes(is_signed);
    for (std::size_t code = 1; code <= last_code; ++code)
      borders_.push_back((static_cast<double>(codes[code - 1]) + codes[code]) / 2);
    raised = static_cast<float>(target(last_code) / borders_.back());
    for (double& border : borders_) border *= raised;
  }
  bool fits(const Line& line, double low, double high) const {
    const std::size_t first = code_at(low), last = std::min(code_at(high), last_code - 1);
    for (std::size_t code = first + 1; code <= last; ++code)
      if (std::abs(line.at(border(code)) - target(code)) > noise * (code > 127 ? 2 : 1)) return false;
    // Parts beyond the outermost borders are held there (the kernel's maxima).
    return (low < 0 && first == 0 ? true : line.at(low) > place_of(first) + margin) &&
           (last == last_code - 1 || line.at(high) < place_of(last + 1) - margin);
  }
  /// Of the lines through two neighbouring borders.
  Line find(double low, double high) const {
    const std::size_t first = std::max<std::size_t>(code_at(low), 3) - 2;
    for (std::size_t code = first; code + 1 < last_code && code < code_at(high) + 3; ++code) {
      const double slope = (target(code + 1) - target(code)) / (border(code + 1) - border(code));
      const Line line{slope, target(code) - slope * border(code)};
      if (fits(line, low, high)) return line;
    }
    fail(ExitCode::internal, "no line for codes between {} and {}", low, high);
  }

 private:
  /// How far codes lie off lines, for they are rounded: 2 of what is doubtful. Roundings of parts and z
  /// add 4.
  static constexpr double noise = 3e-5, margin = 3e-3;
  double border(std::size_t code) const { return borders_[code - 1]; }
  std::size_t code_at(double part) const {
    return static_cast<std::size_t>(std::lower_bound(borders_.begin(), borders_.end(), part) -
                                    borders_.begin());
  }
  /// Where z is at a border: amid what is doubtful.
  static double target(std::size_t code) {
    return place_of(code) - RankTables::doubtful / 2 * std::ldexp(1.0, code > 127 ? -15 : -16);
  }
  std::vector<double> borders_;
};

}  // namespace

RankTables::RankTables(bool is_signed) : numbers{}, line_of{}, slopes{}, starts{}, raised(0) {
  const auto& codes = dynamic_codes(is_signed);
  const std::size_t zero = is_signed ? CodeFinder::signed_zero : 0, ranks = is_signed ? 128 : 256;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    cut(std::bit_cast<std::uint32_t>(codes[is_signed && rank == 0 ? last_code : zero + rank]), numbers, rank);

  // Buckets of which each has a line that `fits`.
  const std::uint32_t least = is_signed ? 14027 : 14035, rate = is_signed ? 1226 : 2478;
  for (std::uint16_t i = 0; i < 32; ++i) {
    least_word[i] = static_cast<std::uint16_t>(least),
    buckets_per_65536_words[i] = static_cast<std::uint16_t>(rate);
    magnitude[i] = 0x7fff, half[i] = 64;
    uppers_by_turns[i] = static_cast<std::uint16_t>(i % 2 == 0 ? i + 1 : i + 32);
  }
  const Lines lines(is_signed, raised);
  const double greatest = raised * 1.0000001;
  const std::uint32_t buckets = is_signed ? 64 : 128;
  const auto begin_of = [&](std::uint32_t bucket) {
    const std::uint32_t words = (bucket * 65536 + rate - 1) / rate;
    const auto part = std::bit_cast<float>((least + words) << 16);
    return bucket == 0 ? 0.0 : std::min<double>(part, greatest);
  };
  std::size_t count = 0;
  for (const int sign : {1, -1}) {
    if (sign < 0 && !is_signed) continue;
    Line line{};
    for (std::uint32_t bucket = 0; bucket < buckets && begin_of(bucket) < greatest; ++bucket) {
      double low = sign * begin_of(bucket), high = sign * begin_of(bucket + 1);
      if (sign < 0) std::swap(low, high);
      if (bucket == 0 || !lines.fits(line, low, high)) {
        require(count < 32, "too many lines for codes");
        line = lines.find(low, high);
        slopes[count] = static_cast<float>(line.slope), starts[count] = static_cast<float>(line.start);
        ++count;
      }
      line_of[bucket + (sign < 0 ? buckets : 0)] = static_cast<std::uint8_t>(count - 1);
    }
  }
}

const RankTables& rank_tables(bool is_signed) {
  static const RankTables with_sign(true), without_sign(false);
  return is_signed ? with_sign : without_sign;
}

}  // namespace trireme::offload
