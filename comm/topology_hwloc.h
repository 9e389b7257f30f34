#pragma once
#include <vector>

#include "comm/topology.h"

namespace trireme::comm {

struct BoundCores {
  std::vector<int> cores;  ///< each named by the kernel's number of its first hardware thread, so that ranks
                           ///< of a node agree
  std::vector<int> numa;
  std::vector<NumaNode> numa_nodes;  ///< of the whole machine, distances not filled
};

/// Where the scheduler lets this process run right now.
BoundCores find_bound_cores();

}  // namespace trireme::comm
