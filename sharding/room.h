#pragma once
#include "comm/communicator.h"
#include "offload/host/limits.h"
#include "sharding/blueprint.h"
#include "sharding/optimizer.h"
#include "sharding/placement.h"

namespace trireme::sharding {

/// Refuses in one sentence, before anything is taken, what `limits` do not have:
/// the parameters, gradients and optimizer state that `ranks_beside` ranks of this node will keep in its
/// memory, with what a placement keeps on the device where `device_is_host`. Returns when all ranks of
/// `control` have looked, so that none takes what another is about to count, with a rank's share of what
/// there is.
std::uint64_t require_room_for_state(const Blueprint& blueprint, const Placement& placement,
                                     const Optimizer& optimizer, const ScheduleOptions& steps,
                                     int ranks_beside, bool device_is_host, const offload::HostLimits& limits,
                                     comm::Communicator& control);

/// What a process takes beside what the plan counts: a checkpoint's blocks and names, threads, the
/// allocator's slack. 61 MiB were measured with 581 million parameters in 1533 tensors.
constexpr std::uint64_t beside_the_steps = std::uint64_t{96} << 20;

/// Refuses, likewise, steps that take `bytes` of each rank's host memory and leave none for what comes
/// beside.
void require_room_for_steps(std::uint64_t bytes, int ranks_beside, const offload::HostLimits& limits);

}  // namespace trireme::sharding
