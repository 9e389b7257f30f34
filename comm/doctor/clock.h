#pragma once
#include <string>
#include <vector>

#include "comm/doctor/finding.h"
#include "comm/mpi/runtime.h"
#include "comm/topology.h"

namespace trireme::comm::doctor {

/// One question for another host's clock, in seconds: asked and answered by our clock, read by theirs.
struct ClockReading {
  double asked = 0, remote = 0, answered = 0;
};

struct ClockOffset {
  std::string host;
  double seconds = 0;      ///< theirs minus ours
  double uncertainty = 0;  ///< half of the quickest answer's time
};

/// The quickest answer says most.
ClockOffset estimate_offset(const std::string& host, const std::vector<ClockReading>& readings);
Finding judge_clocks(const std::vector<ClockOffset>& offsets);

/// Rank 0 asks the first rank of every other node. Collective over the world; only rank 0's result counts.
std::vector<ClockOffset> measure_clocks(const MpiRuntime& runtime, const Topology& topology);

}  // namespace trireme::comm::doctor
