#pragma once
#include <cstdint>
#include <span>

namespace trireme::train {

struct SamplingSettings {
  /// 0: always the most likely token.
  double temperature = 0;
  /// Only the most likely tokens that together have this share are drawn from.
  double top_p = 1;
  std::uint64_t seed = 0;
};

/// The next token from its logits; what is drawn depends on the seed and `position` alone. Of equally likely
/// tokens the first is the most likely.
std::int64_t choose_token(std::span<const float> logits, const SamplingSettings& settings,
                          std::uint64_t position);

}  // namespace trireme::train
