#include "comm/watchdog/roster.h"

#include <algorithm>

namespace trireme::comm {

int Roster::nodes() const {
  return *std::max_element(node_of_rank.begin(), node_of_rank.end()) + 1;
}

std::vector<int> Roster::ranks_of_node(int node) const {
  std::vector<int> ranks;
  for (int rank = 0; rank < size(); ++rank)
    if (node_of_rank[static_cast<std::size_t>(rank)] == node) ranks.push_back(rank);
  return ranks;
}

std::vector<std::string> Roster::host_of_node() const {
  std::vector<std::string> hosts(static_cast<std::size_t>(nodes()));
  for (std::size_t rank = 0; rank < node_of_rank.size(); ++rank) {
    std::string& host = hosts[static_cast<std::size_t>(node_of_rank[rank])];
    if (host.empty()) host = endpoint_of_rank[rank].host;
  }
  return hosts;
}

}  // namespace trireme::comm
