#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sharding/blueprint.h"
#include "sharding/optimizer.h"
#include "sharding/predict/work.h"

namespace trireme::sharding {

constexpr int tier_count = 3;
using TierBytes = std::array<std::uint64_t, tier_count>;

/// One class of what a rank keeps, and where.
struct MemoryLine {
  std::string what;
  Tier tier = Tier::device;
  std::uint64_t bytes = 0;
};

/// The memory of one rank at the moment of a step when it is largest.
struct MemoryForecast {
  /// What is there from the first step to the last.
  std::vector<MemoryLine> standing;
  /// What comes and goes, at its peak.
  std::vector<MemoryLine> passing;
  /// The op of the schedule at which the peak is; -1: there is no passing memory.
  int peak_op = -1;

  TierBytes totals() const;
  std::uint64_t of(std::string_view what) const;
};

/// The sizes that `GroupState`, `Slots` and `Engine` allocate, from the same facts. `states`: what the
/// optimizer keeps.
MemoryForecast forecast_memory(const Blueprint& blueprint, const Placement& placement,
                               const Schedule& schedule, const std::vector<StateKind>& states,
                               const ModelWork& work);

/// A rank's part of a checkpoint: what it keeps once more on the host to save while it trains.
std::uint64_t copy_to_save(const Blueprint& blueprint, const std::vector<StateKind>& states);

/// What flows between units and what autograd keeps, walked through the compute lane: the peak and its op.
struct ActivationPeak {
  std::uint64_t boundaries = 0;  ///< inputs and outputs of units
  std::uint64_t moving = 0;      ///< inputs on their way to the host and back
  std::uint64_t kept = 0;        ///< what autograd keeps for backward
  std::uint64_t working = 0;     ///< inside the unit that computes
  int op = -1;
  std::uint64_t bytes() const { return boundaries + moving + kept + working; }
};
/// What the places on the host hold for units' inputs.
std::uint64_t host_input_bytes(const Schedule& schedule, const ModelWork& work);
ActivationPeak activation_peak(const Schedule& schedule, const ModelWork& work);

}  // namespace trireme::sharding
