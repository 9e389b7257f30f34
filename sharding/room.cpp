#include "sharding/room.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/bytes.h"
#include "offload/host/limits.h"
#include "sharding/predict/memory.h"

namespace trireme::sharding {

std::uint64_t require_room_for_state(const Blueprint& blueprint, const Placement& placement,
                                     const Optimizer& optimizer, int ranks_beside,
                                     comm::Communicator& control) {
  const bool device_is_host = control.backend() != "nccl";
  // Without a schedule and its work: slots may be held once by all ranks of a node, activations pass.
  const MemoryForecast forecast =
      forecast_memory(blueprint, placement, Schedule{}, optimizer.states(), ModelWork{});
  std::uint64_t bytes = 0;
  std::string parts;
  for (const MemoryLine& line : forecast.standing) {
    if (line.tier == Tier::nvme || (line.tier == Tier::device && !device_is_host)) continue;
    bytes += line.bytes;
    parts += fmt::format("{}{} of {}", parts.empty() ? "" : ", ",
                         human_bytes(static_cast<double>(line.bytes)), line.what);
  }
  const std::string ranks = ranks_beside == 1 ? "1 rank" : fmt::format("{} ranks", ranks_beside);
  const auto ranks_here = static_cast<std::uint64_t>(ranks_beside);
  const offload::HostLimits limits = offload::read_host_limits();
  if (bytes > 0)
    offload::require_room(
        limits, bytes * ranks_here,
        fmt::format("the state of {} on this node ({}{})", ranks, parts, ranks_beside == 1 ? "" : " each"),
        false);
  control.barrier();
  return std::min(limits.cgroup.value_or(~std::uint64_t{0}), limits.machine.value_or(0)) / ranks_here;
}

}  // namespace trireme::sharding
