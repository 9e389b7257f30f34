#include "train/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/error.h"
#include "model/philox.h"

namespace trireme::train {
namespace {

/// In [0, 1).
double draw(std::uint64_t seed, std::uint64_t position) {
  const auto bits =
      model::philox({static_cast<std::uint32_t>(position), static_cast<std::uint32_t>(position >> 32), 0, 0},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return (static_cast<double>(bits[0]) * 0x1p32 + bits[1]) * 0x1p-64;
}

}  // namespace

std::int64_t choose_token(std::span<const float> logits, const SamplingSettings& settings,
                          std::uint64_t position) {
  require(!logits.empty(), "there is no token to choose from");
  const auto most = std::max_element(logits.begin(), logits.end());
  if (settings.temperature <= 0) return most - logits.begin();
  std::vector<std::int64_t> order(logits.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)];
  });
  std::vector<double> weights(logits.size());
  double total = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    total += weights[i] =
        std::exp((logits[static_cast<std::size_t>(order[i])] - *most) / settings.temperature);
  // The token that crosses the border is drawn from too, so that there always is one.
  std::size_t kept = 0;
  double mass = 0;
  while (kept < order.size() && (kept == 0 || mass < settings.top_p * total)) mass += weights[kept++];
  double left = draw(settings.seed, position) * mass;
  for (std::size_t i = 0; i + 1 < kept; ++i) {
    if (left < weights[i]) return order[i];
    left -= weights[i];
  }
  return order[kept - 1];
}

}  // namespace trireme::train
