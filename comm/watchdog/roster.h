#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace trireme::comm {

/// Where a rank's watchdog can be reached.
struct Endpoint {
  std::string host;
  std::vector<std::string> addresses;
  std::uint16_t port = 0;
};

/// Who takes part: the same on all ranks.
struct Roster {
  /// Tells this run's watchdogs from those of another run on the same hosts.
  std::uint64_t key = 0;
  std::vector<int> node_of_rank;
  std::vector<Endpoint> endpoint_of_rank;

  int size() const { return static_cast<int>(node_of_rank.size()); }
  int nodes() const;
  std::vector<int> ranks_of_node(int node) const;
  std::vector<std::string> host_of_node() const;
};

}  // namespace trireme::comm
