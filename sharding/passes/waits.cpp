#include <algorithm>

#include "sharding/passes/passes.h"

namespace trireme::sharding::passes {
namespace {

using Kind = Resource::Kind;
constexpr std::size_t index(OpLane lane) {
  return static_cast<std::size_t>(lane);
}

struct Use {
  int writer = -1;
  std::vector<int> readers;
};

}  // namespace

Accesses accesses_of(const Schedule& schedule, const Op& op) {
  Accesses accesses;
  auto& [reads, writes] = accesses;
  const auto slot = [&](int group) {
    return schedule.parameter_slots.of_group[static_cast<std::size_t>(group)];
  };
  const auto home = [&](int group) {
    const int s = schedule.home_slots.of_group[static_cast<std::size_t>(group)];
    return s >= 0 ? Resource{Kind::home_slot, s} : Resource{Kind::home, group};
  };
  const auto refreshed = [&](int group) {
    const int s = schedule.refresh_slots.of_group[static_cast<std::size_t>(group)];
    return s >= 0 ? Resource{Kind::refresh_slot, s} : Resource{Kind::home, group};
  };
  const auto slice = [&](int group) {
    const int s = schedule.slice_slots.of_group[static_cast<std::size_t>(group)];
    return s >= 0 ? Resource{Kind::slice_slot, s} : Resource{Kind::gradient, group};
  };
  const auto gradient = [&](int group) {
    const int s = schedule.gradient_slots.of_group[static_cast<std::size_t>(group)];
    return s >= 0 ? Resource{Kind::gradient_slot, s} : slice(group);
  };
  // What norm and update read.
  const auto complete = [&](int group) {
    return schedule.lowers(group) ? Resource{Kind::gradient, group} : slice(group);
  };
  switch (op.kind) {
    case OpKind::forward:
    case OpKind::backward:
      for (const int group : schedule.facts.units[static_cast<std::size_t>(op.target)].groups) {
        if (schedule.facts.reads_weights(op))
          reads.push_back(slot(group) >= 0 ? Resource{Kind::parameter_slot, slot(group)} : home(group));
        if (op.kind == OpKind::backward && schedule.facts.groups[static_cast<std::size_t>(group)].trainable)
          writes.push_back(gradient(group));
      }
      if (op.staging >= 0)
        (op.kind == OpKind::forward ? writes : reads).push_back({Kind::device_input, op.staging});
      break;
    case OpKind::gather:
      if (op.route == Route::refresh) {
        reads = {{Kind::optimizer, op.target}}, writes = {refreshed(op.target)};
      } else {
        reads = {op.route == Route::secondary ? Resource{Kind::secondary, op.target} : home(op.target)};
        writes = {{Kind::parameter_slot, slot(op.target)}};
      }
      break;
    case OpKind::stash:
      reads = {{Kind::parameter_slot, slot(op.target)}}, writes = {{Kind::secondary, op.target}};
      break;
    case OpKind::drop:
      writes = {{Kind::parameter_slot, slot(op.target)}};
      break;
    case OpKind::reduce:
      if (op.route == Route::span) reads = {gradient(op.target)};
      writes = {slice(op.target)};
      break;
    case OpKind::norm:
      // Updates have left their sums of squares to it.
      for (std::size_t group = 0; group < schedule.facts.groups.size(); ++group)
        if (schedule.facts.groups[group].trainable && !schedule.options.update_when_reduced)
          reads.push_back(complete(static_cast<int>(group)));
      writes = {{Kind::scalars, 0}};
      break;
    case OpKind::update:
      reads = {complete(op.target)};
      if (!schedule.options.update_when_reduced) reads.push_back({Kind::scalars, 0});
      writes = {{Kind::optimizer, op.target}};
      if (!schedule.facts.groups[static_cast<std::size_t>(op.target)].on_drive())
        writes.push_back({Kind::home, op.target});
      if (op.staging >= 0) writes.push_back({Kind::staging, op.staging});
      break;
    case OpKind::fetch:
      writes = {{Kind::staging, op.staging}};
      break;
    case OpKind::load:
      reads = {{Kind::home, op.target}}, writes = {home(op.target)};
      break;
    case OpKind::store:
      reads = {refreshed(op.target)}, writes = {{Kind::home, op.target}};
      break;
    case OpKind::spill:
      reads = {{Kind::staging, op.staging}};
      if (schedule.facts.groups[static_cast<std::size_t>(op.target)].update_writes_home())
        writes = {{Kind::home, op.target}};
      // Whether there is anything to write is known with the norm.
      if (!schedule.options.update_when_reduced) reads.push_back({Kind::scalars, 0});
      break;
    case OpKind::snapshot:
      reads = {{Kind::optimizer, op.target}};
      break;
    case OpKind::park:
      reads = {{Kind::device_input, op.staging}}, writes = {{Kind::host_input, op.part}};
      break;
    case OpKind::recall:
      reads = {{Kind::host_input, op.part}}, writes = {{Kind::device_input, op.staging}};
      break;
    case OpKind::lower:
      reads = {slice(op.target)}, writes = {{Kind::gradient, op.target}};
      break;
    case OpKind::lift:
      reads = {{Kind::gradient, op.target}}, writes = {slice(op.target)};
      break;
  }
  return accesses;
}

int index_of(const Schedule& schedule, const Resource& resource) {
  const int slots = static_cast<int>(schedule.parameter_slots.bytes.size());
  const int gradient_slots = static_cast<int>(schedule.gradient_slots.bytes.size());
  const int slices = static_cast<int>(schedule.slice_slots.bytes.size());
  const int groups = static_cast<int>(schedule.facts.groups.size());
  const int homes = static_cast<int>(schedule.home_slots.bytes.size());
  const int refreshes = static_cast<int>(schedule.refresh_slots.bytes.size());
  const int before_groups = slots + gradient_slots + slices + homes + refreshes;
  switch (resource.kind) {
    case Kind::parameter_slot:
      return resource.index;
    case Kind::gradient_slot:
      return slots + resource.index;
    case Kind::slice_slot:
      return slots + gradient_slots + resource.index;
    case Kind::home_slot:
      return slots + gradient_slots + slices + resource.index;
    case Kind::refresh_slot:
      return slots + gradient_slots + slices + homes + resource.index;
    case Kind::home:
      return before_groups + resource.index;
    case Kind::secondary:
      return before_groups + groups + resource.index;
    case Kind::gradient:
      return before_groups + 2 * groups + resource.index;
    case Kind::optimizer:
      return before_groups + 3 * groups + resource.index;
    case Kind::scalars:
      return before_groups + 4 * groups;
    case Kind::staging:
      return before_groups + 4 * groups + 1 + resource.index;
    case Kind::device_input:
      return before_groups + 4 * groups + 1 + schedule.options.parts_in_memory + resource.index;
    case Kind::host_input:
      return before_groups + 4 * groups + 2 + schedule.options.parts_in_memory +
             schedule.options.input_depth + resource.index;
  }
  return 0;
}

int resource_count(const Schedule& schedule) {
  return index_of(schedule, {Kind::host_input, schedule.host_inputs});
}

void derive_waits(Schedule& schedule) {
  std::vector<Use> uses(static_cast<std::size_t>(resource_count(schedule)));
  Clock last_on_lane;
  last_on_lane.fill(-1);
  Clock nothing = last_on_lane;
  std::vector<Clock> clocks(schedule.ops.size(), nothing);

  for (int i = 0; i < static_cast<int>(schedule.ops.size()); ++i) {
    Op& op = schedule.ops[static_cast<std::size_t>(i)];
    Clock wanted = nothing;
    const auto after = [&](int other) {
      if (other < 0) return;
      int& latest = wanted[index(schedule.ops[static_cast<std::size_t>(other)].lane)];
      latest = std::max(latest, other);
    };
    const Accesses accesses = accesses_of(schedule, op);
    for (const Resource& resource : accesses.reads) {
      Use& use = uses[static_cast<std::size_t>(index_of(schedule, resource))];
      after(use.writer);
      use.readers.push_back(i);
    }
    for (const Resource& resource : accesses.writes) {
      Use& use = uses[static_cast<std::size_t>(index_of(schedule, resource))];
      after(use.writer);
      for (const int reader : use.readers)
        if (reader != i) after(reader);
      use = {i, {}};
    }

    Clock& clock = clocks[static_cast<std::size_t>(i)];
    const auto merge = [&](int other) {
      const Clock& theirs = clocks[static_cast<std::size_t>(other)];
      for (std::size_t lane = 0; lane < clock.size(); ++lane)
        clock[lane] = std::max(clock[lane], theirs[lane]);
    };
    const int before = last_on_lane[index(op.lane)];
    if (before >= 0) merge(before);
    std::vector<int> candidates;
    for (std::size_t lane = 0; lane < wanted.size(); ++lane)
      if (lane != index(op.lane) && wanted[lane] > clock[lane]) candidates.push_back(wanted[lane]);
    // The latest first: what it waited for itself needs no wait of ours.
    std::sort(candidates.rbegin(), candidates.rend());
    for (const int candidate : candidates) {
      if (clock[index(schedule.ops[static_cast<std::size_t>(candidate)].lane)] >= candidate) continue;
      op.waits.push_back(candidate);
      merge(candidate);
    }
    clock[index(op.lane)] = i;
    last_on_lane[index(op.lane)] = i;
  }
}

std::vector<Clock> clocks_of(const Schedule& schedule) {
  Clock nothing;
  nothing.fill(-1);
  std::vector<Clock> clocks(schedule.ops.size(), nothing);
  Clock last_on_lane = nothing;
  for (std::size_t i = 0; i < schedule.ops.size(); ++i) {
    const Op& op = schedule.ops[i];
    const auto merge = [&](int other) {
      const Clock& theirs = clocks[static_cast<std::size_t>(other)];
      for (std::size_t lane = 0; lane < theirs.size(); ++lane)
        clocks[i][lane] = std::max(clocks[i][lane], theirs[lane]);
    };
    if (last_on_lane[index(op.lane)] >= 0) merge(last_on_lane[index(op.lane)]);
    for (const int wait : op.waits) merge(wait);
    clocks[i][index(op.lane)] = last_on_lane[index(op.lane)] = static_cast<int>(i);
  }
  return clocks;
}

}  // namespace trireme::sharding::passes
