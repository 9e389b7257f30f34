#include "offload/optimizer/dynamic_codes.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace trireme::offload {
namespace {

constexpr int decades = 7;

/// As torch.linspace(0.1, 1, count) computes it in fp32: from both ends, rounding once.
std::vector<float> linspace(int count) {
  const float start = 0.1f, end = 1.0f, step = (end - start) / static_cast<float>(count - 1);
  std::vector<float> points;
  for (int i = 0; i < count; ++i)
    points.push_back(i < count / 2 ? std::fma(step, static_cast<float>(i), start)
                                   : std::fma(-step, static_cast<float>(count - 1 - i), end));
  return points;
}

std::array<float, 256> make_codes(bool is_signed) {
  std::vector<float> codes{0.0f, 1.0f};
  for (int decade = 0; decade < decades; ++decade) {
    const int items = 1 << (is_signed ? decade : decade + 1);
    const auto scale = static_cast<float>(std::pow(10.0, decade - (decades - 1)));
    const std::vector<float> borders = linspace(items + 1);
    for (int i = 0; i < items; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const float mean = (borders[at] + borders[at + 1]) / 2.0f;
      codes.push_back(scale * mean);
      if (is_signed) codes.push_back(-scale * mean);
    }
  }
  std::array<float, 256> sorted{};
  require(codes.size() == sorted.size(), "{} dynamic codes", codes.size());
  std::sort(codes.begin(), codes.end());
  std::copy(codes.begin(), codes.end(), sorted.begin());
  return sorted;
}

/// The magnitudes that lie in the middle between two neighbouring codes, from zero up.
std::vector<double> borders_above_zero(bool is_signed) {
  const auto& codes = dynamic_codes(is_signed);
  std::vector<double> borders;
  for (std::size_t i = is_signed ? CodeFinder::signed_zero : 0; i + 1 < codes.size(); ++i)
    borders.push_back((static_cast<double>(codes[i]) + codes[i + 1]) / 2);
  return borders;
}

}  // namespace

const std::array<float, 256>& dynamic_codes(bool is_signed) {
  static const std::array<float, 256> with_sign = make_codes(true), without_sign = make_codes(false);
  return is_signed ? with_sign : without_sign;
}

std::uint8_t nearest_code(bool is_signed, float value) {
  const auto& codes = dynamic_codes(is_signed);
  std::size_t best = 0;
  for (; best + 1 < codes.size(); ++best) {
    const double border = (static_cast<double>(codes[best]) + codes[best + 1]) / 2;
    if (value < border || (value == border && value >= 0)) break;
  }
  return static_cast<std::uint8_t>(best);
}

CodeFinder::CodeFinder(bool is_signed) {
  const std::vector<double> borders = borders_above_zero(is_signed);
  constexpr std::uint32_t size = 1u << bucket_shift;
  for (std::size_t bucket = 0; bucket < buckets; ++bucket) {
    const std::uint32_t first = (first_bucket + static_cast<std::uint32_t>(bucket)) << bucket_shift;
    const double lowest = std::bit_cast<float>(first);
    const auto next = std::lower_bound(borders.begin(), borders.end(), lowest);
    const auto rank = static_cast<std::uint32_t>(next - borders.begin());
    std::uint32_t from = size;
    if (next != borders.end()) {
      auto above = std::bit_cast<std::uint32_t>(static_cast<float>(*next));
      if (std::bit_cast<float>(above) <= *next) ++above;
      from = std::min(above - first, size);
    }
    entries_[bucket] = rank | from << 8;
  }
}

const CodeFinder& code_finder(bool is_signed) {
  static const CodeFinder with_sign(true), without_sign(false);
  return is_signed ? with_sign : without_sign;
}

}  // namespace trireme::offload
