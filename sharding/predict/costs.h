#pragma once
#include <vector>

#include "sharding/placement.h"
#include "sharding/predict/machine.h"
#include "sharding/predict/simulate.h"
#include "sharding/predict/traffic.h"
#include "sharding/predict/work.h"

namespace trireme::sharding {

/// AdamW reads and writes value, gradient and two moments, and writes the value again as it is stored.
constexpr double update_bytes_per_element = 30;

/// How long each op of a schedule takes by itself on a machine.
std::vector<OpCost> costs_of(const Schedule& schedule, const Placement& placement, const ModelWork& work,
                             const Machine& machine, const Extent& extent);

/// A collective of a circle in which each rank ends up sending about `bytes` (`rounds` 2: an all-reduce).
OpCost collective_cost(const Machine& machine, const Reach& reach, int ranks_per_node, double bytes,
                       int rounds);

double forward_seconds(const UnitWork& work, const Machine& machine, bool fp32);
/// Without recomputation.
double backward_seconds(const UnitWork& work, const Machine& machine, bool fp32);

}  // namespace trireme::sharding
