#pragma once
#include "comm/communicator.h"
#include "sharding/blueprint.h"
#include "sharding/optimizer.h"
#include "sharding/placement.h"

namespace trireme::sharding {

/// Refuses in one sentence, before anything is taken, what the control groups and the machine do not have:
/// the parameters, gradients and optimizer state that `ranks_beside` ranks of this node will keep in its
/// memory. Where `control`, of all ranks, is not of GPUs, what a placement keeps on the device lies there
/// too. Returns when all ranks have looked, so that none takes what another is about to count, with a rank's
/// share of what there is.
std::uint64_t require_room_for_state(const Blueprint& blueprint, const Placement& placement,
                                     const Optimizer& optimizer, int ranks_beside,
                                     comm::Communicator& control);

}  // namespace trireme::sharding
