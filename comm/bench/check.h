#pragma once
#include "comm/bench/subject.h"
#include "core/device.h"

namespace trireme::comm::bench {

/// Runs a prepared subject once on known contents and counts this rank's wrong elements. `device` holds the
/// buffers, or is null where the host does.
std::uint64_t run_and_count_wrong(Subject& subject, const Workload& workload, int rank, const Placed& placed,
                                  Device* device);

}  // namespace trireme::comm::bench
