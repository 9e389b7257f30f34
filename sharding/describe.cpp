#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sharding/schedule.h"

namespace trireme::sharding {
namespace {

constexpr std::array kind_names{"fetch", "gather", "forward",  "backward", "drop",  "reduce",
                                "stash", "norm",   "snapshot", "update",   "spill", "load",
                                "store", "park",   "recall",   "lower",    "lift"};
constexpr std::array lane_names{"compute",        "gather", "reduce",    "host_to_device",
                                "device_to_host", "nvme",   "cpu_update"};
constexpr std::array route_names{"none", "primary", "secondary", "refresh", "span", "rest", "replicas"};

/// FNV-1a over whole numbers.
class Hash {
 public:
  void add(std::uint64_t value) {
    for (int byte = 0; byte < 8; ++byte) {
      state_ ^= (value >> (8 * byte)) & 0xff;
      state_ *= 0x100000001b3ull;
    }
  }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325ull;
};

}  // namespace

bool is_of_unit(const Op& op) {
  return op.kind == OpKind::forward || op.kind == OpKind::backward || op.kind == OpKind::park ||
         op.kind == OpKind::recall;
}

bool ScheduleFacts::read_in_backward(int group) const {
  return std::any_of(units.begin(), units.end(), [&](const UnitFacts& unit) {
    return unit.backward_reads_weights &&
           std::find(unit.groups.begin(), unit.groups.end(), group) != unit.groups.end();
  });
}

std::string_view name_of(OpKind kind) {
  return kind_names[static_cast<std::size_t>(kind)];
}
std::string_view name_of(OpLane lane) {
  return lane_names[static_cast<std::size_t>(lane)];
}
std::string_view name_of(Route route) {
  return route_names[static_cast<std::size_t>(route)];
}

std::uint64_t hash_of(const Schedule& schedule) {
  Hash hash;
  hash.add(static_cast<std::uint64_t>(schedule.facts.world));
  for (const GroupFacts& group : schedule.facts.groups) {
    hash.add(group.elements);
    hash.add(group.element_bytes);
    for (const int span : {group.parameters, group.gradients, group.optimizer, group.secondary})
      hash.add(static_cast<std::uint64_t>(span));
  }
  for (const Circle& circle : schedule.circles) {
    hash.add(static_cast<std::uint64_t>(circle.wire));
    for (const int span : circle.spans) hash.add(static_cast<std::uint64_t>(span));
  }
  for (const Op& op : schedule.ops) {
    if (op.communicator < 0) continue;
    hash.add(static_cast<std::uint64_t>(op.kind) << 8 | static_cast<std::uint64_t>(op.route));
    hash.add(static_cast<std::uint64_t>(op.target) + 1);
    hash.add(static_cast<std::uint64_t>(op.communicator));
    hash.add(op.bytes);
  }
  return hash.value();
}

std::string describe(const Schedule& schedule, int index) {
  const Op& op = schedule.ops[static_cast<std::size_t>(index)];
  const bool of_unit = is_of_unit(op);
  std::string text = fmt::format("{} {}", index, name_of(op.kind));
  if (op.target >= 0) {
    const auto target = static_cast<std::size_t>(op.target);
    text +=
        fmt::format(" {}", of_unit ? schedule.facts.units[target].name : schedule.facts.groups[target].name);
  }
  if (op.micro_batch >= 0) text += fmt::format(" of micro-batch {}", op.micro_batch);
  if (op.route != Route::none) text += fmt::format(" ({})", name_of(op.route));
  text += fmt::format(" on {}", name_of(op.lane));
  for (std::size_t i = 0; i < op.waits.size(); ++i)
    text += fmt::format("{}{}", i == 0 ? " after " : ", ", op.waits[i]);
  return text;
}

}  // namespace trireme::sharding
