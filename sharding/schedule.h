#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sharding/placement.h"

namespace trireme::sharding {

enum class OpKind : std::uint8_t {
  fetch,
  gather,
  forward,
  backward,
  drop,
  reduce,
  stash,
  norm,
  snapshot,
  update,
  spill,
  load,    ///< a rank's slice of a group's parameters comes from the drive into its slot
  store,   ///< and what a refresh has gathered goes there
  park,    ///< a unit's input goes to the host until its backward
  recall,  ///< and comes back
  lower,   ///< a rank's slice of a gradient goes to the host
  lift     ///< and comes back to be added to
};
enum class OpLane : std::uint8_t {
  compute,
  gather,
  reduce,
  host_to_device,
  device_to_host,
  nvme,
  cpu_update
};
constexpr int lane_count = 7;

/// From where to where a gather or reduce goes.
enum class Route : std::uint8_t {
  none,
  primary,    ///< gather: parameter slices to the slot
  secondary,  ///< gather: slices of the secondary copy to the slot
  refresh,    ///< gather: updated slices of the optimizer's span to the slice of the parameters' span
  span,       ///< reduce: the whole gradient in its slot to the slice of the gradients' span
  rest,       ///< reduce: that slice to the slice of the optimizer's span
  replicas,   ///< reduce: the sum over the ranks that hold the same slice
};

/// The ranks of one communicator, told without naming a rank: in each block of `outer` ranks, those with the
/// same slice of `inner`. The spans between fix the order of slices. Each lane has its own, so that lanes
/// never wait for one another inside a collective.
struct Circle {
  OpLane lane = OpLane::gather;
  std::vector<int> spans;
  Wire wire = Wire::raw;
  int inner() const { return spans.front(); }
  int outer() const { return spans.back(); }
  bool operator==(const Circle&) const = default;
};

struct Op {
  OpKind kind = OpKind::forward;
  /// forward, backward, park, recall: a unit; norm: -1; otherwise a group.
  int target = -1;
  int micro_batch = -1;
  OpLane lane = OpLane::compute;
  Route route = Route::none;
  /// Index into Schedule::circles; -1: no other rank takes part.
  int communicator = -1;
  /// Of the whole vector that is moved, as it travels.
  std::uint64_t bytes = 0;
  /// backward: bit i: the buffer of the unit's i-th group holds nothing yet; reduce: bit 0: nor does the
  /// slice.
  std::uint32_t overwrite = 0;
  /// fetch, update, spill: which part of the group's update, and the buffer of the ring that it goes through;
  /// -1: the state is in memory. park, recall: which place on the host, and which of the few on the device;
  /// forward, backward: that place on the device, -1 where the input stays. lower: 1: the gradient is
  /// complete, and only the optimizer's slice of it goes.
  int part = 0, staging = -1;
  /// forward: what autograd keeps stays until the backward, which else computes the unit again.
  bool keep = false;
  /// Earlier ops on other lanes, by index.
  std::vector<int> waits;
};

/// What the passes need to know of a group; the same on every rank.
struct GroupFacts {
  std::string name;
  std::uint64_t elements = 0;  ///< with padding
  std::uint64_t element_bytes = 4;
  bool trainable = true;
  int parameters = 1, gradients = 1, optimizer = 1;  ///< spans in ranks
  int secondary = 0;                                 ///< 0: none
  Wire parameter_wire = Wire::raw, gradient_wire = Wire::raw;
  /// Holds a part of a tensor that was cut so as not to set the size of a slot.
  bool cut = false;
  /// Into how many parts an update is cut that has something on NVMe; 0: all it needs is in memory. What a
  /// rank reads and writes for it there, and what it writes only: the new parameters.
  int update_parts = 0;
  std::uint64_t state_bytes = 0, value_bytes = 0;
  /// What a buffer needs for one of the parts.
  std::uint64_t part_bytes = 0;
  /// Where a rank's optimizer state lies, its slice of the parameters, and that of the gradient.
  Tier state_tier = Tier::device, parameter_tier = Tier::device, gradient_tier = Tier::device;
  std::uint64_t bytes() const { return elements * element_bytes; }
  /// Of a rank's slice of the parameters.
  std::uint64_t home_bytes() const { return bytes() / static_cast<std::uint64_t>(parameters); }
  bool on_drive() const { return parameter_tier == Tier::nvme; }
  /// New parameters on a drive that a rank's own update makes; otherwise they come by a refresh.
  bool update_writes_home() const { return trainable && on_drive() && optimizer <= parameters; }
  /// Of a rank's slice of the fp32 gradient, and of the optimizer's where that is a smaller one.
  std::uint64_t gradient_bytes() const { return elements / static_cast<std::uint64_t>(gradients) * 4; }
  std::uint64_t reduced_bytes() const {
    return optimizer > gradients ? elements / static_cast<std::uint64_t>(optimizer) * 4 : 0;
  }
};

struct UnitFacts {
  std::string name;
  std::vector<int> groups;
  bool keeps_little = false;
  bool backward_reads_weights = true;
};

struct ScheduleFacts {
  int world = 1;
  std::vector<GroupFacts> groups;
  std::vector<UnitFacts> units;
  /// Of a forward or backward.
  bool reads_weights(const Op& op) const {
    return op.kind == OpKind::forward || units[static_cast<std::size_t>(op.target)].backward_reads_weights;
  }
  bool read_in_backward(int group) const;
};

struct ScheduleOptions {
  enum class Purpose : std::uint8_t { train, evaluate };
  Purpose purpose = Purpose::train;
  int micro_batches = 1;
  /// How many units ahead a gather may begin; the ring of parameter slots holds one unit more.
  int prefetch_depth = 1;
  /// How many units' gradients may wait for their reduction; the ring of gradient slots holds one unit more.
  int reduce_depth = 1;
  /// All micro-batches pass a unit before the next unit, instead of the reverse.
  bool unit_major = false;
  Activations activations = Activations::kept;
  /// Where the inputs of units that are computed again wait for backward, and how many units ahead of it one
  /// that is not on the device comes back; the device has places for one more.
  Tier input_tier = Tier::device;
  int input_depth = 1;
  /// Each group is updated as soon as its gradient is reduced, while backward goes on for others: without a
  /// norm that could change the update, and with no overflow to skip.
  bool update_when_reduced = false;
  /// Whole gradients stay in memory even where they could vanish.
  bool keeps_gradients = false;
  /// The host's memory is not the device's, so gradients whose tier it is go there.
  bool lowers_gradients = false;
  /// How many parts of updates of state on NVMe are in memory at once.
  int parts_in_memory = 3;

  /// A gradient's memory goes to another group once it is applied: nothing is added to it after it was
  /// reduced.
  bool gradients_vanish() const {
    return purpose == Purpose::train && update_when_reduced && !keeps_gradients &&
           (unit_major || micro_batches == 1);
  }
  /// Whether a group's gradient is on the device only while it is made and added to. One that vanishes is
  /// applied from there.
  bool lowers(const GroupFacts& group) const {
    return purpose == Purpose::train && lowers_gradients && !gradients_vanish() && group.trainable &&
           group.gradient_tier == Tier::host;
  }
};

/// Fixed buffers in rings by size class. A group always uses the same one.
struct SlotTable {
  std::vector<int> of_group;         ///< -1: it needs none
  std::vector<std::uint64_t> bytes;  ///< of each slot
};

struct Schedule {
  ScheduleFacts facts;
  ScheduleOptions options;
  SlotTable parameter_slots;
  SlotTable gradient_slots;
  /// Where gradients vanish or go to the host: of a rank's own slice, and of the optimizer's behind it.
  SlotTable slice_slots;
  /// Of a rank's slices of parameters that lie on NVMe: where they are computed with or gathered from, and
  /// where a refresh gathers them before they go there.
  SlotTable home_slots, refresh_slots;
  /// Places on the host for units' inputs.
  int host_inputs = 0;
  std::vector<Circle> circles;
  std::vector<Op> ops;

  bool lowers(int group) const { return options.lowers(facts.groups[static_cast<std::size_t>(group)]); }
};

Schedule build_schedule(const ScheduleFacts& facts, const ScheduleOptions& options);

/// Throws an internal error that names the first op that breaks an invariant.
void validate(const Schedule& schedule);

/// Equal on all ranks whose collectives fit together.
std::uint64_t hash_of(const Schedule& schedule);

/// Whether its target is a unit.
bool is_of_unit(const Op& op);

std::string_view name_of(OpKind kind);
std::string_view name_of(OpLane lane);
std::string_view name_of(Route route);
/// "12 gather block.3 (primary) on gather after 9".
std::string describe(const Schedule& schedule, int op);

}  // namespace trireme::sharding
