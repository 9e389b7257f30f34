#include <utility>

#include "sharding/passes/passes.h"
#include "sharding/wires.h"

namespace trireme::sharding::passes {
namespace {

class Reductions {
 public:
  explicit Reductions(Draft& draft)
      : draft_(draft),
        filled_by_(draft.schedule.gradient_slots.bytes.size(), -1),
        last_use_(draft.facts().groups.size(), -1),
        begun_(draft.facts().groups.size(), 0) {}

  void run() {
    for (int at = 0; at < static_cast<int>(draft_.compute.size()); ++at) {
      Op& op = draft_.compute[static_cast<std::size_t>(at)];
      if (op.kind == OpKind::backward) add(op, at);
    }
    for (const int group : filled_by_)
      if (group >= 0) reduce_slot(group);
    for (std::size_t g = 0; g < last_use_.size(); ++g)
      if (last_use_[g] >= 0) reduce_slice(static_cast<int>(g));
  }

 private:
  void add(Op& op, int at) {
    const auto& groups = draft_.unit(op).groups;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const int group = groups[i];
      const auto g = static_cast<std::size_t>(group);
      if (!draft_.group(group).trainable) continue;
      const int slot = draft_.schedule.gradient_slots.of_group[g];
      bool empty = last_use_[g] < 0;
      if (slot >= 0) {
        int& filler = filled_by_[static_cast<std::size_t>(slot)];
        empty = filler != group;
        if (empty && filler >= 0) reduce_slot(filler);
        filler = group;
      }
      if (empty) op.overwrite |= std::uint32_t{1} << i;
      last_use_[g] = at;
    }
  }

  Op reduce(int group, Route route, int inner, int outer) {
    const GroupFacts& facts = draft_.group(group);
    Op op;
    op.kind = OpKind::reduce, op.target = group, op.lane = OpLane::reduce, op.route = route;
    const Wire wire = wire_of_reduction(facts.gradient_wire, route);
    op.bytes =
        bytes_on(wire, facts.elements / static_cast<std::uint64_t>(inner), sizeof(float), outer / inner);
    op.communicator = draft_.circle(OpLane::reduce, facts, inner, outer, wire);
    return op;
  }
  std::vector<Op>& after_last_use(int group) {
    return draft_.before[static_cast<std::size_t>(last_use_[static_cast<std::size_t>(group)]) + 1];
  }

  void reduce_slot(int group) {
    Op op = reduce(group, Route::span, 1, draft_.group(group).gradients);
    op.overwrite = std::exchange(begun_[static_cast<std::size_t>(group)], 1) ? 0 : 1;
    after_last_use(group).push_back(std::move(op));
  }

  void reduce_slice(int group) {
    const GroupFacts& facts = draft_.group(group);
    if (facts.optimizer > facts.gradients)
      after_last_use(group).push_back(reduce(group, Route::rest, facts.gradients, facts.optimizer));
    if (draft_.facts().world > facts.optimizer) {
      Op op = reduce(group, Route::replicas, facts.optimizer, draft_.facts().world);
      after_last_use(group).push_back(std::move(op));
    }
  }

  Draft& draft_;
  std::vector<int> filled_by_;
  std::vector<int> last_use_;
  std::vector<char> begun_;
};

}  // namespace

void reduce_gradients(Draft& draft) {
  if (draft.options().purpose == ScheduleOptions::Purpose::train) Reductions(draft).run();
}

}  // namespace trireme::sharding::passes
