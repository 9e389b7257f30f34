#include "sharding/predict/search.h"

#include <algorithm>

#include "sharding/presets.h"

namespace trireme::sharding {
namespace {

std::uint64_t device_bytes(const Forecast& forecast) {
  return forecast.memory.totals()[static_cast<std::size_t>(Tier::device)];
}

/// The best of one placement: the fastest that fits, or else what needs least of the device.
class Best {
 public:
  void offer(Forecast&& candidate) {
    ++tried_;
    if (!best_ || better(candidate, *best_)) best_ = std::move(candidate);
  }
  const std::optional<Forecast>& best() const { return best_; }
  int tried() const { return tried_; }

 private:
  static bool better(const Forecast& a, const Forecast& b) {
    if (a.fits != b.fits) return a.fits;
    if (!a.fits) return device_bytes(a) < device_bytes(b);
    return a.step_s < b.step_s * (1 - 1e-9);
  }
  std::optional<Forecast> best_;
  int tried_ = 0;
};

std::vector<std::int64_t> divisors(std::int64_t number) {
  std::vector<std::int64_t> found;
  for (std::int64_t divisor = 1; divisor <= number; ++divisor)
    if (number % divisor == 0) found.push_back(divisor);
  return found;
}

/// What takes load off a device that is too small: inputs of units that are computed again wait on the host,
/// optimizer state stays only as far as it fits, or both.
std::vector<Setting> relieved(const Setting& setting) {
  std::vector<Setting> all;
  const Placement& placement = setting.placement;
  const bool can_page = placement.optimizer.tier == Tier::device;
  const bool can_park =
      setting.options.activations != Activations::kept && placement.activation_tier == Tier::device;
  const auto paged = [](Setting from) {
    from.placement.optimizer.tier = Tier::host;
    from.placement.device_state_bytes = whatever_fits;
    return from;
  };
  const auto parked = [](Setting from) {
    from.placement.activation_tier = from.options.input_tier = Tier::host;
    return from;
  };
  if (can_park) all.push_back(parked(setting));
  if (can_page) all.push_back(paged(setting));
  if (can_park && can_page) all.push_back(paged(parked(setting)));
  return all;
}

void offer_with_relief(Best& best, const Subject& subject, const Machine& machine, const Setting& setting,
                       const Choices& choices) {
  constexpr ForecastOptions brief{.traffic = false};
  Forecast plain = forecast(subject, machine, setting, brief);
  const bool wanted = !plain.fits && choices.other_tiers && !machine.device_is_host;
  best.offer(std::move(plain));
  if (!wanted) return;
  for (const Setting& other : relieved(setting)) best.offer(forecast(subject, machine, other, brief));
}

void try_placement(Best& best, const Subject& subject, const Machine& machine, const Extent& extent,
                   const Placement& placement, const Choices& choices) {
  for (const std::int64_t rows : divisors(choices.rows_per_step)) {
    Setting setting{placement, extent, choices.others, rows, choices.more_parts};
    setting.options.micro_batches = static_cast<int>(choices.rows_per_step / rows);
    setting.options.input_tier = placement.activation_tier;
    for (const Activations activations : choices.activations) {
      setting.placement.activations = setting.options.activations = activations;
      for (const bool unit_major : {false, true}) {
        if (unit_major && setting.options.micro_batches == 1) continue;
        setting.options.unit_major = unit_major;
        for (const int depth : choices.depths) {
          setting.options.prefetch_depth = setting.options.reduce_depth = depth;
          offer_with_relief(best, subject, machine, setting, choices);
        }
      }
    }
  }
}

}  // namespace

Ranking search(const Subject& subject, const Machine& machine, const Extent& extent, const Choices& choices) {
  Ranking ranking;
  for (const std::string& name : choices.presets) {
    Best best;
    try_placement(best, subject, machine, extent, preset(name, choices.compute), choices);
    ranking.settings_tried += best.tried();
    if (!best.best()) continue;
    Forecast whole = forecast(subject, machine, best.best()->setting);
    (whole.fits ? ranking.fitting : ranking.lacking).push_back(std::move(whole));
  }
  std::stable_sort(ranking.fitting.begin(), ranking.fitting.end(),
                   [](const Forecast& a, const Forecast& b) { return a.step_s < b.step_s; });
  return ranking;
}

std::optional<Forecast> Ranking::best() const {
  for (const Forecast& each : fitting)
    if (each.not_yet.empty()) return each;
  return std::nullopt;
}

std::optional<Forecast> nearest_that_fits(const Subject& subject, const Machine& machine,
                                          const Setting& setting, const Choices& choices) {
  Best same;
  try_placement(same, subject, machine, setting.extent, setting.placement, choices);
  if (same.best() && same.best()->fits && same.best()->not_yet.empty()) return same.best();
  Ranking others = search(subject, machine, setting.extent, choices);
  return others.best();
}

}  // namespace trireme::sharding
