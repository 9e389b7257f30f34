#pragma once
#include <cstddef>

#include "comm/bench/collective.h"
#include "comm/bench/streams.h"

namespace trireme::comm::bench {

/// How the ranks of one group lie on the nodes, and how many such groups work at once.
struct GroupShape {
  int ranks = 1;
  int nodes = 1;
  /// Groups that share each node's link.
  int groups_per_node = 1;

  int ranks_per_node() const { return (ranks + nodes - 1) / nodes; }
};

/// The memory traffic that a collective cannot avoid on one rank: `reads` blocks in, `writes` blocks out.
struct MemoryMix {
  int reads = 0;
  int writes = 0;
  std::size_t block_bytes = 0;
  bool in_place = false;

  bool idle() const { return reads == 0 || block_bytes == 0; }
};

/// Inside a node, each rank: all_gather, all_to_all, sendrecv copy the vector; reduce_scatter reads every
/// rank's part and writes one; all_reduce reads every rank's part and writes it to every rank; broadcast
/// copies on all ranks but the root.
MemoryMix memory_mix(const Workload& workload, const GroupShape& shape, int rank);

/// Of one size, in seconds: the ranks' memory alone, with each kind of stores.
struct MemoryTimes {
  double moved = 0;
  /// Moved, and what was written then read.
  double read_back = 0;
};

/// The limit: with the stores that pay for whoever reads the result. Below some size stores past the caches
/// move bytes sooner, and the result then has to come back from memory.
double memory_limit(const MemoryTimes& cached, const MemoryTimes& streaming);

/// Bytes that must enter a node over its link, for all groups that share it.
double link_bytes(const Workload& workload, const GroupShape& shape);

}  // namespace trireme::comm::bench
