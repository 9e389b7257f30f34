#include "sharding/paging.h"

#include "sharding/state_arrays.h"

namespace trireme::sharding {

void page_states(Blueprint& blueprint, const std::vector<StateKind>& states, const Placement& placement) {
  if (placement.optimizer.tier != Tier::host || !placement.device_state_bytes) return;
  std::uint64_t left = *placement.device_state_bytes;
  for (std::size_t group = 0; group < blueprint.facts.groups.size(); ++group) {
    GroupFacts& facts = blueprint.facts.groups[group];
    std::uint64_t bytes = state_arrays(blueprint, static_cast<int>(group), states).total_bytes();
    // What is updated on the device has its gradient there.
    if (facts.trainable && facts.gradient_tier == Tier::host)
      bytes += facts.gradient_bytes() + facts.reduced_bytes();
    const bool stays = bytes <= left;
    if (stays) left -= bytes, facts.gradient_tier = Tier::device;
    facts.state_tier = stays ? Tier::device : Tier::host;
  }
}

std::vector<StatePlace> state_places(const Blueprint& blueprint, const std::vector<StateKind>& states) {
  std::vector<StatePlace> places;
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group) {
    const GroupFacts& facts = blueprint.group(group);
    if (facts.trainable)
      places.push_back({facts.name, facts.state_tier, state_arrays(blueprint, group, states).total_bytes()});
  }
  return places;
}

}  // namespace trireme::sharding
