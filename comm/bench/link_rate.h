#pragma once
#include <vector>

#include "comm/bench/everyone.h"

namespace trireme::comm::bench {

/// Bytes a second that leave one node for another while every rank of every node streams, over MPI and one
/// way, to a rank of the next node; that of the slowest node. Infinite on a single node.
double measure_link_rate(const Everyone& everyone, const std::vector<int>& node_of_rank);

}  // namespace trireme::comm::bench
