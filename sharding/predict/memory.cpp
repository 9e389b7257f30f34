#include "sharding/predict/memory.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sharding/predict/ring.h"
#include "sharding/state_arrays.h"
#include "sharding/wires.h"

namespace trireme::sharding {
namespace {

constexpr std::uint64_t float_bytes = sizeof(float);

/// One group's buffers as `GroupState` makes them, and what of it a checkpoint holds.
class GroupSizes {
 public:
  GroupSizes(const Blueprint& blueprint, int group)
      : facts_(blueprint.group(group)),
        layout_(blueprint.layouts[static_cast<std::size_t>(group)]),
        stored_(size_of(blueprint.stored[static_cast<std::size_t>(group)])),
        plain_(blueprint.stored[static_cast<std::size_t>(group)] == DType::f32),
        master_bytes_(blueprint.splits_master[static_cast<std::size_t>(group)] ? float_bytes / 2
                                                                               : float_bytes) {}

  std::uint64_t home() const { return slice(facts_.parameters) * stored_; }
  std::uint64_t secondary() const { return facts_.secondary > 1 ? slice(facts_.secondary) * stored_ : 0; }
  std::uint64_t gradient() const { return trained(slice(facts_.gradients) * float_bytes); }
  std::uint64_t reduced() const {
    return facts_.optimizer > facts_.gradients ? trained(slice(facts_.optimizer) * float_bytes) : 0;
  }
  std::uint64_t master() const {
    return !plain_ || moves() ? trained(slice(facts_.optimizer) * master_bytes_) : 0;
  }
  std::uint64_t staging() const {
    const bool apart = moves() && (!plain_ || facts_.update_parts > 0) && !facts_.update_writes_home();
    return apart ? trained(slice(facts_.optimizer) * stored_) : 0;
  }
  /// Values in fp32 and states, shared by the ranks that hold the same.
  std::uint64_t saved(const std::vector<StateKind>& states, int world) const {
    std::uint64_t bytes = trained(slice(facts_.optimizer) * float_bytes);
    for (const StateKind& kind : states) bytes += state(kind);
    return bytes * static_cast<std::uint64_t>(facts_.optimizer) / static_cast<std::uint64_t>(world);
  }
  std::uint64_t state(const StateKind& kind) const {
    const auto each = static_cast<std::uint64_t>(kind.elements_each);
    return trained((slice(facts_.optimizer) + each - 1) / each * size_of(kind.dtype));
  }

 private:
  bool moves() const { return facts_.optimizer != facts_.parameters; }
  std::uint64_t slice(int span) const { return static_cast<std::uint64_t>(layout_.slice_elements(span)); }
  std::uint64_t trained(std::uint64_t bytes) const { return facts_.trainable ? bytes : 0; }

  const GroupFacts& facts_;
  const Layout& layout_;
  std::uint64_t stored_;
  bool plain_;
  std::uint64_t master_bytes_;
};

std::uint64_t sum(const std::vector<std::uint64_t>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
}

std::uint64_t taken(Tier tier, std::uint64_t bytes) {
  return tier == Tier::nvme ? in_sectors(bytes) : bytes;
}

}  // namespace

TierBytes MemoryForecast::totals() const {
  TierBytes totals{};
  for (const auto* lines : {&standing, &passing})
    for (const MemoryLine& line : *lines) totals[static_cast<std::size_t>(line.tier)] += line.bytes;
  return totals;
}

std::uint64_t MemoryForecast::of(std::string_view what) const {
  std::uint64_t bytes = 0;
  for (const auto* lines : {&standing, &passing})
    for (const MemoryLine& line : *lines)
      if (line.what == what) bytes += line.bytes;
  return bytes;
}

namespace {

std::uint64_t wire_bytes(const Schedule& schedule) {
  const std::vector<std::uint64_t> longest = longest_moved(schedule);
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < longest.size(); ++i) {
    const Circle& circle = schedule.circles[i];
    bytes += room_on(circle.wire, longest[i], circle.outer() / circle.inner());
  }
  return bytes;
}

}  // namespace

MemoryForecast forecast_memory(const Blueprint& blueprint, const Placement& placement,
                               const Schedule& schedule, const std::vector<StateKind>& states,
                               const ModelWork& work) {
  std::uint64_t trained = 0, frozen = 0, secondary = 0, staging = 0, landing = float_bytes;
  TierBytes gradients{}, master{}, moments{};
  const bool vanish = schedule.options.gradients_vanish();
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group) {
    const GroupSizes sizes(blueprint, group);
    const GroupFacts& facts = blueprint.group(group);
    (facts.trainable ? trained : frozen) +=
        taken(placement.of_parameters(facts.trainable).tier, sizes.home());
    secondary += sizes.secondary();
    if (!vanish)
      gradients[static_cast<std::size_t>(facts.gradient_tier)] +=
          sizes.gradient() + (schedule.options.lowers(facts) ? 0 : sizes.reduced());
    const auto tier = static_cast<std::size_t>(facts.state_tier);
    master[tier] += taken(facts.state_tier, sizes.master());
    staging += sizes.staging();
    for (const StateKind& kind : states) moments[tier] += taken(facts.state_tier, sizes.state(kind));
    if (!vanish && facts.gradients > 1) landing = std::max(landing, sizes.gradient());
  }
  MemoryForecast forecast;
  const auto stands = [&](const char* what, Tier tier, std::uint64_t bytes) {
    if (bytes > 0) forecast.standing.push_back({what, tier, bytes});
  };
  stands("parameters", placement.parameters.tier, trained);
  stands("frozen parameters", placement.of_parameters(false).tier, frozen);
  if (placement.secondary) stands("secondary copy", placement.secondary->tier, secondary);
  for (const Tier tier : {Tier::device, Tier::host, Tier::nvme}) {
    stands("gradients", tier, gradients[static_cast<std::size_t>(tier)]);
    stands("master weights", tier, master[static_cast<std::size_t>(tier)]);
    stands("optimizer state", tier, moments[static_cast<std::size_t>(tier)]);
  }
  stands("updated parameters", Tier::device, staging);
  stands("update buffers", Tier::host,
         part_bytes(blueprint.facts) * static_cast<std::uint64_t>(schedule.options.parts_in_memory));
  stands("copies between drives and device", Tier::host, blueprint.meeting_bytes);
  stands("parameter slots", Tier::device,
         sum(schedule.parameter_slots.bytes) + sum(schedule.home_slots.bytes) +
             sum(schedule.refresh_slots.bytes));
  stands("gradient slots", Tier::device,
         sum(schedule.gradient_slots.bytes) + sum(schedule.slice_slots.bytes));
  stands("landing", Tier::device, landing);
  stands("wire buffers", Tier::device, wire_bytes(schedule));

  if (work.units.empty()) return forecast;
  stands("parked unit inputs", Tier::host, host_input_bytes(schedule, work));
  const ActivationPeak peak = activation_peak(schedule, work);
  forecast.peak_op = peak.op;
  const auto passes = [&](const char* what, Tier tier, std::uint64_t bytes) {
    if (bytes > 0) forecast.passing.push_back({what, tier, bytes});
  };
  passes("unit inputs", Tier::device, peak.boundaries);
  passes("inputs on their way", Tier::device, peak.moving);
  passes("kept activations", Tier::device, peak.kept);
  passes("working memory", Tier::device, peak.working);
  return forecast;
}

std::uint64_t copy_to_save(const Blueprint& blueprint, const std::vector<StateKind>& states) {
  std::uint64_t bytes = 0;
  for (int group = 0; group < static_cast<int>(blueprint.facts.groups.size()); ++group)
    bytes += GroupSizes(blueprint, group).saved(states, blueprint.facts.world);
  return bytes;
}

std::uint64_t host_input_bytes(const Schedule& schedule, const ModelWork& work) {
  std::vector<std::uint64_t> places(static_cast<std::size_t>(schedule.host_inputs), 0);
  for (const Op& op : schedule.ops) {
    if (op.kind != OpKind::park) continue;
    auto& place = places[static_cast<std::size_t>(op.part)];
    place = std::max(place, work.units[static_cast<std::size_t>(op.target)].input_bytes);
  }
  return sum(places);
}

ActivationPeak activation_peak(const Schedule& schedule, const ModelWork& work) {
  const bool train = schedule.options.purpose == ScheduleOptions::Purpose::train;
  const bool keeps_attention =
      train && schedule.options.activations == Activations::recomputed_except_attention;
  const std::size_t micro_batches = static_cast<std::size_t>(schedule.options.micro_batches);
  std::vector<char> has_graph(work.units.size() * micro_batches, 0);
  ActivationPeak now, most;
  std::vector<std::uint64_t> places(static_cast<std::size_t>(schedule.options.input_depth) + 1, 0);
  const auto hold = [&](const Op& op, std::uint64_t bytes) {
    auto& place = places[static_cast<std::size_t>(op.staging)];
    now.moving += bytes - std::exchange(place, bytes);
  };
  const auto look = [&](int op, std::uint64_t boundaries, std::uint64_t kept, std::uint64_t working) {
    const ActivationPeak here{now.boundaries + boundaries, now.moving, now.kept + kept, working, op};
    if (here.bytes() > most.bytes()) most = here;
  };
  for (int index = 0; index < static_cast<int>(schedule.ops.size()); ++index) {
    const Op& op = schedule.ops[static_cast<std::size_t>(index)];
    if (!is_of_unit(op) || op.kind == OpKind::park) continue;
    const UnitWork& unit = work.units[static_cast<std::size_t>(op.target)];
    if (op.kind == OpKind::recall) {
      hold(op, unit.input_bytes);
      continue;
    }
    const bool moves = op.staging >= 0;
    char& graph = has_graph[static_cast<std::size_t>(op.target) * micro_batches +
                            static_cast<std::size_t>(op.micro_batch)];
    const std::uint64_t kept = graph || op.keep  ? unit.kept_bytes
                               : keeps_attention ? unit.attention_bytes
                                                 : 0;
    if (op.kind == OpKind::forward) {
      graph = op.keep;
      // A place counts as taken until another input takes it: when it is free is the lanes' affair.
      if (moves) hold(op, unit.input_bytes), now.boundaries -= unit.input_bytes;
      look(index, unit.output_bytes, kept, unit.forward_bytes);
      now.boundaries += unit.output_bytes;
      now.kept += kept;
      if (!train) now.boundaries -= unit.input_bytes;
    } else {
      // The gradient of the output is there, and that of the input comes into being.
      const bool again = !graph;
      look(index, unit.output_bytes + unit.input_bytes, again ? unit.kept_bytes - kept : 0,
           unit.backward_bytes);
      now.boundaries -= unit.output_bytes;
      // The gradient of the input stays, the input goes.
      if (moves) hold(op, 0), now.boundaries += unit.input_bytes;
      now.kept -= kept;
      graph = 0;
    }
  }
  return most;
}

}  // namespace trireme::sharding
