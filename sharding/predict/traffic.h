#pragma once
#include <vector>

#include "comm/communicator.h"
#include "sharding/schedule.h"

namespace trireme::sharding {

/// How many ranks a circle has, and how many of them are on one node with the rank that asks.
struct Reach {
  int ranks = 1;
  int beside = 1;
  bool inside_node() const { return ranks == beside; }
};

/// Of the first rank, where nodes are blocks of consecutive ranks.
Reach reach_of(const Circle& circle, int ranks_per_node);

/// How groups that span nodes with several of their ranks on one are served: each pair of ranks exchanges
/// directly, as threads do, or in two levels, as MPI's ranks do.
enum class AcrossNodes : std::uint8_t { direct, two_level };

/// What a schedule puts on its way, counted without running it: the payload bytes that one rank sends, as the
/// backends count them.
class TrafficCounter {
 public:
  /// `node_of_position`: for each rank, in the order in which spans are counted, its node.
  TrafficCounter(const Schedule& schedule, int position, const std::vector<int>& node_of_position,
                 AcrossNodes across = AcrossNodes::direct);

  comm::Traffic of(const Op& op) const;
  /// Of one run of the schedule.
  comm::Traffic total() const;
  /// Of what an engine does once it has loaded, so that all slices hold the values: the refreshes alone.
  comm::Traffic publishing() const;

 private:
  struct Members {
    Reach reach;
    int place = 0;
    bool several_beside = false;
    std::vector<int> nodes;
  };
  const Schedule& schedule_;
  AcrossNodes across_;
  std::vector<Members> circles_;
};

/// Nodes of `ranks_per_node` consecutive ranks.
std::vector<int> even_nodes(int world, int ranks_per_node);

}  // namespace trireme::sharding
