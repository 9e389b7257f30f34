#include "offload/optimizer/rank_tables.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

#include "offload/optimizer/dynamic_codes.h"

namespace trireme::offload {
namespace {

constexpr int decades = 7;

void cut(float number, std::uint8_t (&bytes)[4][256], std::size_t place) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  for (unsigned byte = 0; byte < 4; ++byte)
    bytes[byte][place] = static_cast<std::uint8_t>(bits >> (8 * byte));
}

/// The least float that is greater than the middle of two codes.
float least_above_middle(float low, float high) {
  const double middle = (static_cast<double>(low) + high) / 2;
  const auto rounded = static_cast<float>(middle);
  return rounded > middle ? rounded : std::nextafter(rounded, std::numeric_limits<float>::infinity());
}

struct Line {
  double slope, offset;
};

/// Through the codes between 10^(decade-7) and ten times that.
Line line_of(bool is_signed, int decade) {
  const int items = 1 << (is_signed ? decade : decade + 1), first = is_signed ? items : items - 1;
  const double start = std::pow(10.0, decade - decades), spacing = 9 * start / items;
  const double slope = 1 / spacing;
  return {slope, first - slope * (start + spacing / 2)};
}

int decade_of(double magnitude) {
  return std::clamp(static_cast<int>(std::floor(std::log10(magnitude))) + decades, 0, decades - 1);
}

}  // namespace

RankTables::RankTables(bool is_signed) : numbers{}, borders{}, slopes{}, offsets{} {
  const auto& codes = dynamic_codes(is_signed);
  const std::size_t zero = is_signed ? CodeFinder::signed_zero : 0, ranks = is_signed ? 128 : 256;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::size_t code = zero + rank;
    cut(codes[code], numbers, rank);
    cut(code + 1 < codes.size() ? least_above_middle(codes[code], codes[code + 1])
                                : std::numeric_limits<float>::infinity(),
        borders, rank);
  }
  for (int exponent = -24; exponent <= 0; ++exponent) {
    const double low = std::ldexp(1.0, exponent);
    const auto place = static_cast<std::size_t>((exponent + 127) & 31);
    for (const auto& [which, decade] : {std::pair{0, decade_of(low)}, std::pair{1, decade_of(2 * low)}}) {
      const Line line = line_of(is_signed, decade);
      slopes[which][place] = static_cast<float>(line.slope);
      offsets[which][place] = static_cast<float>(line.offset);
    }
  }
}

const RankTables& rank_tables(bool is_signed) {
  static const RankTables with_sign(true), without_sign(false);
  return is_signed ? with_sign : without_sign;
}

}  // namespace trireme::offload
