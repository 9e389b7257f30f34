#pragma once
#include "comm/bench/everyone.h"
#include "comm/communicator.h"
#include "core/device.h"

namespace trireme::comm::bench {

/// Where a benchmark runs: the ranks, the world that makes their communicators, and the device whose memory
/// is moved (null: the host's).
struct Site {
  const Everyone& everyone;
  World& world;
  Device* device = nullptr;
};

}  // namespace trireme::comm::bench
