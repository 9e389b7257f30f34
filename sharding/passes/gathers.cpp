#include <algorithm>

#include "sharding/passes/passes.h"
#include "sharding/wires.h"

namespace trireme::sharding::passes {
namespace {

Op group_op(OpKind kind, int group, OpLane lane, std::uint64_t bytes) {
  Op op;
  op.kind = kind, op.target = group, op.lane = lane, op.bytes = bytes;
  return op;
}

class Gathers {
 public:
  explicit Gathers(Draft& draft)
      : draft_(draft),
        slots_(draft.schedule.parameter_slots.bytes.size()),
        homes_(draft.schedule.home_slots.bytes.size()),
        stashed_(draft.facts().groups.size(), 0),
        stash_used_(draft.facts().groups.size(), 0) {}

  void run() {
    for (int at = 0; at < static_cast<int>(draft_.compute.size()); ++at) {
      const Op& op = draft_.compute[static_cast<std::size_t>(at)];
      if (!draft_.facts().reads_weights(op)) continue;
      for (const int group : draft_.unit(op).groups) {
        if (Resident* slot = of(draft_.schedule.parameter_slots, slots_, group)) {
          if (slot->group != group) gather(group, *slot, at);
          slot->free_from = at + 1;
        } else if (Resident* home = of(draft_.schedule.home_slots, homes_, group)) {
          load(group, *home, at);
          home->free_from = at + 1;
        }
      }
    }
    for (auto& cell : draft_.before)
      std::erase_if(cell, [&](const Op& op) {
        return op.kind == OpKind::stash && !stash_used_[static_cast<std::size_t>(op.target)];
      });
  }

 private:
  /// What a slot holds, and the op of the computation before which it is free at the earliest.
  struct Resident {
    int group = -1;
    int free_from = 0;
  };

  static Resident* of(const SlotTable& table, std::vector<Resident>& residents, int group) {
    const int slot = table.of_group[static_cast<std::size_t>(group)];
    return slot < 0 ? nullptr : &residents[static_cast<std::size_t>(slot)];
  }
  int ahead_of(int user, const Resident& slot) const {
    return std::max(slot.free_from, user - draft_.options().prefetch_depth);
  }
  std::vector<Op>& before(int at) { return draft_.before[static_cast<std::size_t>(at)]; }

  void load(int group, Resident& home, int user) {
    if (home.group == group) return;
    home.group = group;
    before(ahead_of(user, home))
        .push_back(group_op(OpKind::load, group, OpLane::nvme, draft_.group(group).home_bytes()));
  }

  void gather(int group, Resident& slot, int user) {
    const auto g = static_cast<std::size_t>(group);
    const bool train = draft_.options().purpose == ScheduleOptions::Purpose::train;
    const GroupFacts& facts = draft_.group(group);
    if (slot.group >= 0)
      before(slot.free_from).push_back(group_op(OpKind::drop, slot.group, OpLane::compute, 0));
    slot.group = group;
    int at = ahead_of(user, slot);
    const bool from_stash = stashed_[g];
    if (Resident* home = of(draft_.schedule.home_slots, homes_, group); home && !from_stash) {
      at = std::max(at, home->free_from);
      load(group, *home, at);
      home->free_from = at;
    }
    const int slices = from_stash ? facts.secondary : facts.parameters;
    const Wire wire = from_stash ? Wire::raw : facts.parameter_wire;
    Op gather = group_op(OpKind::gather, group, OpLane::gather,
                         bytes_on(wire, facts.elements, facts.element_bytes, slices));
    gather.route = from_stash ? Route::secondary : Route::primary;
    gather.communicator = draft_.circle(OpLane::gather, from_stash ? GroupFacts{} : facts, 1, slices, wire);
    before(at).push_back(gather);
    if (from_stash) stash_used_[g] = 1;
    if (train && facts.secondary > 1 && !from_stash) {
      before(at).push_back(group_op(OpKind::stash, group, OpLane::gather,
                                    facts.bytes() / static_cast<std::uint64_t>(facts.secondary)));
      stashed_[g] = 1;
    }
  }

  Draft& draft_;
  std::vector<Resident> slots_, homes_;
  std::vector<char> stashed_, stash_used_;
};

}  // namespace

void gather_parameters(Draft& draft) {
  Gathers(draft).run();
}

}  // namespace trireme::sharding::passes
