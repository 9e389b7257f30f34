#pragma once
#include <string>
#include <vector>

#include "sharding/predict/traffic.h"

namespace trireme::sharding {

/// What one kind of op of a step sends, on one rank.
struct Volume {
  std::string what;
  int ops = 0;
  comm::Traffic traffic;
};

/// By what the ops are for: gathers before the first backward and after, refreshes, reductions.
std::vector<Volume> volumes_of(const Schedule& schedule, const TrafficCounter& counter);

/// What a rank sends in a step of one micro-batch if everything travels as it is stored and every unit is
/// gathered for forward and, where backward reads weights, again for backward, as the papers count it; in
/// bytes.
struct VolumeFormula {
  double gathers = 0, reductions = 0;
  double bytes() const { return gathers + reductions; }
};
VolumeFormula volume_formula(const ScheduleFacts& facts);

}  // namespace trireme::sharding
