#pragma once
#include <vector>

#include "comm/bench/everyone.h"

namespace trireme::comm::bench {

/// Bytes a second that leave one node for the next while all its ranks stream over MPI, one way; that of the
/// slowest such link. Infinite on a single node.
double measure_link_rate(const Everyone& everyone, const std::vector<int>& node_of_rank);

/// Turns in which each node streams to the next one, so that no node sends or receives twice in a turn, or
/// both: turn of node k's link to node k + 1.
int turn_of_link(int node, int nodes);
int link_turns(int nodes);

}  // namespace trireme::comm::bench
