#include "sharding/room.h"

#include <fmt/format.h>

#include "core/bytes.h"
#include "offload/host/limits.h"
#include "sharding/predict/memory.h"

namespace trireme::sharding {

void require_room_for_state(const Blueprint& blueprint, const Placement& placement,
                            const Optimizer& optimizer, int ranks_beside, comm::Communicator& control) {
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
  if (bytes > 0)
    offload::require_room(
        offload::read_host_limits(), bytes * static_cast<std::uint64_t>(ranks_beside),
        fmt::format("the state of {} on this node ({}{})", ranks, parts, ranks_beside == 1 ? "" : " each"),
        false);
  control.barrier();
}

}  // namespace trireme::sharding
