#include "sharding/room.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/bytes.h"
#include "sharding/predict/memory.h"

namespace trireme::sharding {

namespace {

std::string ranks_of_node(int count) {
  return count == 1 ? "1 rank" : fmt::format("{} ranks", count);
}

}  // namespace

std::uint64_t require_room_for_state(const Blueprint& blueprint, const Placement& placement,
                                     const Optimizer& optimizer, const ScheduleOptions& steps,
                                     int ranks_beside, bool device_is_host, const offload::HostLimits& limits,
                                     comm::Communicator& control) {
  // Without a schedule and its work: slots may be held once by all ranks of a node, activations pass.
  Schedule bare;
  bare.options = steps;
  const MemoryForecast forecast =
      forecast_memory(blueprint, placement, bare, optimizer.states(), ModelWork{});
  std::uint64_t bytes = 0;
  std::string parts;
  for (const MemoryLine& line : forecast.standing) {
    if (line.tier == Tier::nvme || (line.tier == Tier::device && !device_is_host)) continue;
    bytes += line.bytes;
    parts += fmt::format("{}{} of {}", parts.empty() ? "" : ", ",
                         human_bytes(static_cast<double>(line.bytes)), line.what);
  }
  const auto ranks_here = static_cast<std::uint64_t>(ranks_beside);
  if (bytes > 0)
    offload::require_room(limits, bytes * ranks_here,
                          fmt::format("the state of {} on this node ({}{})", ranks_of_node(ranks_beside),
                                      parts, ranks_beside == 1 ? "" : " each"),
                          false);
  control.barrier();
  return std::min(limits.cgroup.value_or(~std::uint64_t{0}), limits.machine.value_or(0)) / ranks_here;
}

void require_room_for_steps(std::uint64_t bytes, int ranks_beside, const offload::HostLimits& limits) {
  offload::require_room(
      limits, (bytes + beside_the_steps) * static_cast<std::uint64_t>(ranks_beside),
      fmt::format("steps of {} on this node and {} each for checkpoints and threads",
                  ranks_of_node(ranks_beside), human_bytes(static_cast<double>(beside_the_steps))),
      false);
}

}  // namespace trireme::sharding
