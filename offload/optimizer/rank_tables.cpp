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

void cut(std::uint32_t bits, std::uint8_t (&bytes)[4][256], std::size_t place) {
  for (unsigned byte = 0; byte < 4; ++byte)
    bytes[byte][place] = static_cast<std::uint8_t>(bits >> (8 * byte));
}

/// The greatest float that is not above the middle of two codes.
float last_before_middle(float low, float high) {
  const double middle = (static_cast<double>(low) + high) / 2;
  const auto rounded = static_cast<float>(middle);
  return rounded <= middle ? rounded : std::nextafter(rounded, 0.0f);
}

/// How much lower lines are than the ranks of the middles between codes. Around powers of ten, where the
/// codes become five times as far apart, that is more than 1/5 (or they would give a rank too many); at the
/// upper ends of binades, where the upper half of a magnitude says least, less than 4/9 (or two too few).
constexpr double lowered = 0.3;

/// Through the middles of the codes between 10^(decade-7) and ten times that.
struct Line {
  Line(bool is_signed, int decade)
      : start(std::pow(10.0, decade - decades)),
        first((1 << (is_signed ? decade : decade + 1)) - (is_signed ? 0 : 1)),
        slope((1 << (is_signed ? decade : decade + 1)) / (9 * start)) {}
  double at(double magnitude) const { return first + (magnitude - start) * slope - lowered; }

  double start, first, slope;
};

std::uint16_t in_256ths(double ranks) {
  return static_cast<std::uint16_t>(std::lround(256 * ranks));
}

int decade_of(double magnitude) {
  return std::clamp(static_cast<int>(std::floor(std::log10(magnitude))) + decades, 0, decades - 1);
}

}  // namespace

RankTables::RankTables(bool is_signed) : numbers{}, lasts{}, starts{}, rises{}, nexts{} {
  const auto& codes = dynamic_codes(is_signed);
  const std::size_t zero = is_signed ? CodeFinder::signed_zero : 0, ranks = is_signed ? 128 : 256;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::size_t code = zero + rank;
    cut(std::bit_cast<std::uint32_t>(codes[code]), numbers, rank);
    const bool greatest = code + 1 == codes.size();
    cut(greatest ? 0x7fffffffu
                 : std::bit_cast<std::uint32_t>(last_before_middle(codes[code], codes[code + 1])),
        lasts, rank);
  }
  for (std::size_t place = 0; place <= 24; ++place) {
    const double low = std::ldexp(1.0, static_cast<int>(place) - 24);
    const int decade = decade_of(low);
    const Line line(is_signed, decade), next(is_signed, decade + 1);
    starts[place] = in_256ths(line.at(low));
    rises[place] = in_256ths(low * line.slope);
    nexts[place] = decade_of(2 * low) == decade ? 0xffff - 0xffff / 5
                                                : in_256ths(next.at(next.start) - line.at(next.start) / 5);
  }
}

const RankTables& rank_tables(bool is_signed) {
  static const RankTables with_sign(true), without_sign(false);
  return is_signed ? with_sign : without_sign;
}

}  // namespace trireme::offload
