#pragma once
#include <string>
#include <vector>

#include "sharding/blueprint.h"
#include "sharding/optimizer.h"

namespace trireme::sharding {

/// Decides for each trained group whether its optimizer state stays on the device: in the model's order those
/// do that still fit in the bytes which the placement leaves it there. Always the same for the same job, and
/// never changed later, so that nothing moves between steps.
void page_states(Blueprint& blueprint, const std::vector<StateKind>& states, const Placement& placement);

/// What a rank keeps of one group for its update, master values among it, and where.
struct StatePlace {
  std::string group;
  Tier tier = Tier::device;
  std::uint64_t bytes = 0;
};
std::vector<StatePlace> state_places(const Blueprint& blueprint, const std::vector<StateKind>& states);

}  // namespace trireme::sharding
