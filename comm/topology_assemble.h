#pragma once
#include <vector>

#include "comm/topology.h"
#include "comm/topology_survey.h"

namespace trireme::comm {

/// One report a rank, in the order of ranks → where all of them run. Throws the first rank's problem, and
/// refuses ranks that MPI puts into one shared-memory group though they are on different machines. Same
/// machine but different groups (containers) makes two nodes.
Topology assemble(const std::vector<RankReport>& reports);

/// Gives each rank of a node a visible GPU of its own, the nearest ones by NUMA distance over all of them.
/// Refuses two ranks on one GPU unless they may `share`.
void assign_gpus(Topology& topology, bool share);

}  // namespace trireme::comm
