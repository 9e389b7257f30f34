#include <algorithm>

#include "sharding/passes/passes.h"
#include "sharding/wires.h"

namespace trireme::sharding::passes {
namespace {

struct Resident {
  int group = -1;
  int last_reader = -1;
};

Op group_op(OpKind kind, int group, OpLane lane, std::uint64_t bytes) {
  Op op;
  op.kind = kind, op.target = group, op.lane = lane, op.bytes = bytes;
  return op;
}

}  // namespace

void gather_parameters(Draft& draft) {
  const bool train = draft.options().purpose == ScheduleOptions::Purpose::train;
  std::vector<Resident> resident(draft.schedule.parameter_slots.bytes.size());
  std::vector<char> stashed(draft.facts().groups.size(), 0), stash_used(draft.facts().groups.size(), 0);

  for (int at = 0; at < static_cast<int>(draft.compute.size()); ++at) {
    for (const int index : draft.unit(draft.compute[static_cast<std::size_t>(at)]).groups) {
      const auto g = static_cast<std::size_t>(index);
      const int slot = draft.schedule.parameter_slots.of_group[g];
      if (slot < 0) continue;
      Resident& here = resident[static_cast<std::size_t>(slot)];
      if (here.group != index) {
        if (here.group >= 0)
          draft.before[static_cast<std::size_t>(here.last_reader) + 1].push_back(
              group_op(OpKind::drop, here.group, OpLane::compute, 0));
        const GroupFacts& facts = draft.group(index);
        auto& cell = draft.before[static_cast<std::size_t>(
            std::max({0, here.last_reader + 1, at - draft.options().prefetch_depth}))];
        const bool from_stash = stashed[g];
        const int slices = from_stash ? facts.secondary : facts.parameters;
        const Wire wire = from_stash ? Wire::raw : facts.parameter_wire;
        Op gather = group_op(OpKind::gather, index, OpLane::gather,
                             bytes_on(wire, facts.elements, facts.element_bytes, slices));
        gather.route = from_stash ? Route::secondary : Route::primary;
        gather.communicator =
            draft.circle(OpLane::gather, from_stash ? GroupFacts{} : facts, 1, slices, wire);
        cell.push_back(gather);
        if (from_stash) stash_used[g] = 1;
        if (train && facts.secondary > 1 && !from_stash) {
          cell.push_back(group_op(OpKind::stash, index, OpLane::gather,
                                  facts.bytes() / static_cast<std::uint64_t>(facts.secondary)));
          stashed[g] = 1;
        }
        here.group = index;
      }
      here.last_reader = at;
    }
  }
  for (auto& cell : draft.before)
    std::erase_if(cell, [&](const Op& op) {
      return op.kind == OpKind::stash && !stash_used[static_cast<std::size_t>(op.target)];
    });
}

}  // namespace trireme::sharding::passes
