#pragma once
#include <optional>
#include <string>
#include <vector>

#include "sharding/predict/forecast.h"

namespace trireme::sharding {

/// What the search may choose from.
struct Choices {
  std::vector<std::string> presets;
  /// Rows that a rank computes in a step; micro-batches are its divisors.
  std::int64_t rows_per_step = 1;
  std::vector<Activations> activations{Activations::kept, Activations::recomputed,
                                       Activations::recomputed_except_attention};
  std::vector<int> depths{0, 1, 2};
  /// What does not fit is tried with units' inputs on the host and with optimizer state there, too.
  bool other_tiers = true;
  Codec compute = Codec::bf16;
  /// What of the options is not chosen.
  ScheduleOptions others;
  bool more_parts = false;
};

struct Ranking {
  /// The best of each preset that fits, the fastest first.
  std::vector<Forecast> fitting;
  /// For each other preset the setting that needs least, with the reason why it does not fit.
  std::vector<Forecast> lacking;
  int settings_tried = 0;
  /// The fastest that fits and that the engine carries out.
  std::optional<Forecast> best() const;
};

/// Tries all presets, micro-batches, activation policies, orders and depths on a machine.
Ranking search(const Subject& subject, const Machine& machine, const Extent& extent, const Choices& choices);

/// The fastest setting that fits and is as near as possible to one that does not: first those with its
/// placement, then all.
std::optional<Forecast> nearest_that_fits(const Subject& subject, const Machine& machine,
                                          const Setting& setting, const Choices& choices);

}  // namespace trireme::sharding
