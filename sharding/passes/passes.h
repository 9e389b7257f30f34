#pragma once
#include <array>
#include <vector>

#include "sharding/schedule.h"

namespace trireme::sharding::passes {

/// A schedule in the making: the order of computation, and what goes before each op of it (the last entry:
/// after all of them).
struct Draft {
  Schedule schedule;
  std::vector<Op> compute;
  std::vector<std::vector<Op>> before;

  const ScheduleFacts& facts() const { return schedule.facts; }
  const ScheduleOptions& options() const { return schedule.options; }
  const UnitFacts& unit(const Op& op) const { return facts().units[static_cast<std::size_t>(op.target)]; }
  const GroupFacts& group(int index) const { return facts().groups[static_cast<std::size_t>(index)]; }
  /// The communicator of `lane` between two of the group's spans; -1 where that is a single rank.
  int circle(OpLane lane, const GroupFacts& group, int inner, int outer, Wire wire = Wire::raw);
};

/// A group that wants a slot. One that stays there has it alone; the others share rings of `depth` + 1 units'
/// worth of each size class. One that rides takes its turns in the ring of a larger class, where there is
/// one.
struct SlotWish {
  int group = 0;
  std::uint64_t bytes = 0;
  bool stays = false;
  bool rides = false;
};
/// Whether what a slot holds is worth keeping for a later use, or is done with once.
enum class SlotUse : std::uint8_t { kept, passed };
/// `wishes` in the order of first use, those of a unit together.
SlotTable assign_slots(const ScheduleFacts& facts, int depth, const std::vector<SlotWish>& wishes,
                       SlotUse use);
void assign_parameter_slots(Schedule& schedule);
void assign_gradient_slots(Schedule& schedule);
void assign_slice_slots(Schedule& schedule);
void assign_home_slots(Schedule& schedule);
void assign_refresh_slots(Schedule& schedule);

/// Which units compute in which order, and which keep what autograd saved.
void order_computation(Draft& draft);
/// Takes what units that are computed again were given to the host, and back before their backward.
void move_inputs(Draft& draft);
/// Gathers each group into its slot before it is computed with, unless it is still there, and drops what was
/// there; takes what lies on NVMe from there first.
void gather_parameters(Draft& draft);
/// Reduces each gradient once its buffer is complete, and marks the first write of each buffer.
void reduce_gradients(Draft& draft);
/// Takes slices of gradients to the host when others want their slots, and back when more is added to them.
void move_gradients(Draft& draft);
/// Norm, update, and the gather of what was updated.
void finish_step(Draft& draft);
/// Puts all ops into one vector.
void assemble(Draft& draft);
/// Makes each op wait for the ops on other lanes that write what it reads or use what it writes.
void derive_waits(Schedule& schedule);

/// One thing that ops read and write.
struct Resource {
  enum class Kind : std::uint8_t {
    parameter_slot,
    gradient_slot,
    slice_slot,
    home_slot,
    refresh_slot,
    home,
    secondary,
    gradient,
    optimizer,
    scalars,
    staging,
    device_input,
    host_input
  };
  Kind kind = Kind::scalars;
  int index = 0;
};
struct Accesses {
  std::vector<Resource> reads, writes;
};
Accesses accesses_of(const Schedule& schedule, const Op& op);
/// Numbers the resources of a schedule from 0.
int index_of(const Schedule& schedule, const Resource& resource);
int resource_count(const Schedule& schedule);

/// For each lane the last op that is known to be done: what happens before an op.
using Clock = std::array<int, lane_count>;
/// The clocks right after each op is done, from lane order and waits alone.
std::vector<Clock> clocks_of(const Schedule& schedule);

}  // namespace trireme::sharding::passes
