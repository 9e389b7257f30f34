#include <algorithm>
#include <utility>
#include <vector>

#include "sharding/passes/passes.h"
#include "sharding/wires.h"

namespace trireme::sharding::passes {
namespace {

/// One part of a group's update, and the op of the computation that it goes before.
struct Turn {
  int group = 0, part = 0;
  std::size_t cell = 0;
};

class Finish {
 public:
  explicit Finish(Draft& draft) : draft_(draft), turns_(turns()) {}

  void run() {
    // What is copied before it changes may be copied while the units compute.
    for (const Turn& turn : turns_)
      if (turn.part == 0) draft_.before[0].push_back(make(OpKind::snapshot, turn, OpLane::device_to_host));
    // Reads that depend on nothing fill the ring while the units compute.
    std::size_t staged = 0;
    std::vector<std::size_t> through_ring;
    for (std::size_t i = 0; i < turns_.size(); ++i)
      if (draft_.group(turns_[i].group).update_parts > 0) through_ring.push_back(i);
    const auto ring = static_cast<std::size_t>(draft_.options().parts_in_memory);
    for (; staged < std::min(ring, through_ring.size()); ++staged)
      move(OpKind::fetch, through_ring[staged], staged, 0);
    if (!draft_.options().update_when_reduced) add_norm();
    std::size_t done = 0;
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      const Turn& turn = turns_[i];
      const GroupFacts& group = draft_.group(turn.group);
      const bool pipes = group.update_parts > 0;
      Op op = make(OpKind::update, turn, OpLane::cpu_update);
      op.bytes = group.elements * sizeof(float) /
                 static_cast<std::uint64_t>(group.optimizer * std::max(group.update_parts, 1));
      op.staging = pipes ? static_cast<int>(done % ring) : -1;
      draft_.before[turn.cell].push_back(op);
      if (pipes) {
        move(OpKind::spill, i, done, turn.cell);
        if (staged < through_ring.size())
          move(OpKind::fetch, through_ring[staged], staged, turn.cell), ++staged;
        ++done;
      }
      if (turn.part + 1 >= group.update_parts) refresh(turn);
    }
    if (draft_.options().update_when_reduced) add_norm();
  }

 private:
  std::vector<Turn> turns() const {
    const std::size_t end = draft_.before.size() - 1;
    std::vector<std::size_t> cell(draft_.facts().groups.size(), end);
    if (draft_.options().update_when_reduced)
      for (std::size_t at = 0; at < draft_.compute.size(); ++at)
        if (draft_.compute[at].kind == OpKind::backward)
          for (const int group : draft_.unit(draft_.compute[at]).groups)
            cell[static_cast<std::size_t>(group)] = at + 1;
    std::vector<Turn> found;
    std::vector<char> seen(draft_.facts().groups.size(), 0);
    for (const UnitFacts& unit : draft_.facts().units)
      for (const int group : unit.groups) {
        const auto g = static_cast<std::size_t>(group);
        if (!draft_.group(group).trainable || std::exchange(seen[g], 1)) continue;
        for (int part = 0; part < std::max(draft_.group(group).update_parts, 1); ++part)
          found.push_back({group, part, cell[g]});
      }
    std::stable_sort(found.begin(), found.end(),
                     [](const Turn& a, const Turn& b) { return a.cell < b.cell; });
    return found;
  }

  static Op make(OpKind kind, const Turn& turn, OpLane lane) {
    Op op;
    op.kind = kind, op.target = turn.group, op.part = turn.part, op.lane = lane;
    return op;
  }
  void move(OpKind kind, std::size_t turn, std::size_t number, std::size_t cell) {
    const GroupFacts& group = draft_.group(turns_[turn].group);
    Op op = make(kind, turns_[turn], OpLane::nvme);
    op.bytes = (group.state_bytes + (kind == OpKind::spill ? group.value_bytes : 0)) /
               static_cast<std::uint64_t>(group.update_parts);
    op.staging = static_cast<int>(number % static_cast<std::size_t>(draft_.options().parts_in_memory));
    draft_.before[cell].push_back(op);
  }
  void add_norm() {
    Op norm;
    norm.kind = OpKind::norm, norm.lane = OpLane::cpu_update;
    norm.communicator = draft_.circle(OpLane::cpu_update, GroupFacts{}, 1, draft_.facts().world);
    draft_.before.back().push_back(norm);
  }
  void refresh(const Turn& turn) {
    const GroupFacts& group = draft_.group(turn.group);
    if (group.optimizer <= group.parameters) return;
    Op refresh = make(OpKind::gather, turn, OpLane::gather);
    refresh.part = 0;
    refresh.route = Route::refresh;
    refresh.bytes =
        bytes_on(group.parameter_wire, group.elements / static_cast<std::uint64_t>(group.parameters),
                 group.element_bytes, group.optimizer / group.parameters);
    refresh.communicator =
        draft_.circle(OpLane::gather, group, group.parameters, group.optimizer, group.parameter_wire);
    draft_.before[turn.cell].push_back(refresh);
    if (!group.on_drive()) return;
    Op store = make(OpKind::store, turn, OpLane::nvme);
    store.part = 0, store.bytes = group.home_bytes();
    draft_.before[turn.cell].push_back(store);
  }

  Draft& draft_;
  std::vector<Turn> turns_;
};

}  // namespace

void finish_step(Draft& draft) {
  if (draft.options().purpose == ScheduleOptions::Purpose::train) Finish(draft).run();
}

}  // namespace trireme::sharding::passes
