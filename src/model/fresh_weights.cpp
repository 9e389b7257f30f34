#include "model/fresh_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>

#include "model/philox.h"

namespace trireme::model {
namespace {

std::array<std::uint32_t, 2> halves(std::uint64_t value) {
  return {static_cast<std::uint32_t>(value), static_cast<std::uint32_t>(value >> 32)};
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ull;
  for (const char letter : text) hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3ull;
  return hash;
}

/// Two values for each 128 random bits, after Box and Muller.
std::array<double, 2> normal_pair(const std::array<std::uint32_t, 4>& bits) {
  const double within = (static_cast<double>(bits[0]) + bits[1] * 0x1p-32 + 0x1p-33) * 0x1p-32;
  const double angle = 2.0 * std::numbers::pi * (static_cast<double>(bits[2]) + bits[3] * 0x1p-32) * 0x1p-32;
  const double radius = std::sqrt(-2.0 * std::log(within));
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

double deviation_of(const ModelSpec& spec, std::string_view name) {
  const bool into_stream = spec.transposed && name.ends_with(".c_proj.weight");
  return spec.initializer_range / (into_stream ? std::sqrt(2.0 * static_cast<double>(spec.layers)) : 1.0);
}

}  // namespace

void fresh_weights(const ModelSpec& spec, const sharding::Parameter& parameter, std::uint64_t seed,
                   std::int64_t first, std::span<float> into) {
  const bool adds_to_one = spec.norm == NormKind::rms_plus_one || parameter.name.ends_with(".bias");
  if (parameter.shape.size() < 2) return std::fill(into.begin(), into.end(), adds_to_one ? 0.0f : 1.0f);
  const auto key = halves(seed), name = halves(hash_of(parameter.name));
  const double deviation = deviation_of(spec, parameter.name);
  for (std::size_t i = 0; i < into.size(); ++i) {
    const std::uint64_t element = static_cast<std::uint64_t>(first) + i;
    const auto pair = halves(element / 2);
    const std::array<double, 2> drawn = normal_pair(philox({pair[0], pair[1], name[0], name[1]}, key));
    into[i] = static_cast<float>(deviation * drawn[element % 2]);
  }
}

}  // namespace trireme::model
