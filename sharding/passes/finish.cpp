#include <utility>

#include "sharding/passes/passes.h"
#include "sharding/wires.h"

namespace trireme::sharding::passes {

void finish_step(Draft& draft) {
  if (draft.options().purpose != ScheduleOptions::Purpose::train) return;
  auto& end = draft.before.back();
  Op norm;
  norm.kind = OpKind::norm, norm.lane = OpLane::cpu_update;
  norm.communicator = draft.circle(OpLane::cpu_update, GroupFacts{}, 1, draft.facts().world);
  end.push_back(norm);

  std::vector<char> seen(draft.facts().groups.size(), 0);
  for (const UnitFacts& unit : draft.facts().units) {
    for (const int index : unit.groups) {
      const GroupFacts& group = draft.group(index);
      if (!group.trainable || std::exchange(seen[static_cast<std::size_t>(index)], 1)) continue;
      Op update;
      update.kind = OpKind::update, update.target = index, update.lane = OpLane::cpu_update;
      update.bytes = group.elements * sizeof(float) / static_cast<std::uint64_t>(group.optimizer);
      end.push_back(update);
      if (group.optimizer <= group.parameters) continue;
      Op refresh;
      refresh.kind = OpKind::gather, refresh.target = index, refresh.lane = OpLane::gather,
      refresh.route = Route::refresh;
      refresh.bytes =
          bytes_on(group.parameter_wire, group.elements / static_cast<std::uint64_t>(group.parameters),
                   group.element_bytes, group.optimizer / group.parameters);
      refresh.communicator =
          draft.circle(OpLane::gather, group, group.parameters, group.optimizer, group.parameter_wire);
      end.push_back(refresh);
    }
  }
}

}  // namespace trireme::sharding::passes
