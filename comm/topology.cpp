#include "comm/topology.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr int unknown_distance = 255;

std::size_t index(int value) {
  return static_cast<std::size_t>(value);
}

}  // namespace

int Node::numa_distance(int from, int to) const {
  const auto at = [this](int id) {
    return std::find_if(numa.begin(), numa.end(), [id](const NumaNode& node) { return node.id == id; });
  };
  const auto a = at(from), b = at(to);
  if (a == numa.end() || b == numa.end()) return unknown_distance;
  const std::size_t column = static_cast<std::size_t>(b - numa.begin());
  return column < a->distances.size() ? a->distances[column] : unknown_distance;
}

Topology Topology::regular(int nodes, int ranks_per_node) {
  return ragged(std::vector<int>(index(nodes), ranks_per_node));
}

Topology Topology::ragged(const std::vector<int>& ranks_of_node) {
  std::vector<int> node_of_rank;
  for (std::size_t node = 0; node < ranks_of_node.size(); ++node)
    node_of_rank.insert(node_of_rank.end(), index(ranks_of_node[node]), static_cast<int>(node));
  return of_nodes(node_of_rank);
}

Topology Topology::of_nodes(const std::vector<int>& node_of_rank) {
  Topology topology;
  for (std::size_t rank = 0; rank < node_of_rank.size(); ++rank) {
    const int node = node_of_rank[rank];
    while (static_cast<int>(topology.nodes.size()) <= node) {
      topology.nodes.emplace_back();
      topology.nodes.back().hostname = fmt::format("n{}", topology.nodes.size() - 1);
      topology.nodes.back().boot_id = fmt::format("boot-{}", topology.nodes.size() - 1);
    }
    auto& members = topology.nodes[index(node)].ranks;
    Place place;
    place.node = node;
    place.local_rank = static_cast<int>(members.size());
    members.push_back(static_cast<int>(rank));
    topology.ranks.push_back(std::move(place));
  }
  check_consistent(topology);
  return topology;
}

std::vector<int> Topology::node_of_rank() const {
  std::vector<int> nodes_of(ranks.size());
  std::transform(ranks.begin(), ranks.end(), nodes_of.begin(), [](const Place& place) { return place.node; });
  return nodes_of;
}

bool Topology::even() const {
  return std::all_of(nodes.begin(), nodes.end(),
                     [this](const Node& node) { return node.ranks.size() == nodes.front().ranks.size(); });
}

int Topology::device_ordinal(int rank) const {
  const Place& here = place(rank);
  const auto found = std::find(here.visible_gpus.begin(), here.visible_gpus.end(), here.gpu);
  return here.gpu < 0 || found == here.visible_gpus.end()
             ? -1
             : static_cast<int>(found - here.visible_gpus.begin());
}

std::string Topology::describe() const {
  const auto counted = [](std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  if (even())
    return fmt::format("{} × {}", counted(nodes.size(), "node"),
                       counted(nodes.empty() ? 0 : nodes.front().ranks.size(), "rank"));
  std::vector<std::size_t> sizes;
  for (const Node& node : nodes) sizes.push_back(node.ranks.size());
  return fmt::format("{} on {} ({})", counted(ranks.size(), "rank"), counted(nodes.size(), "node"),
                     fmt::join(sizes, "+"));
}

void check_consistent(const Topology& topology) {
  const auto refuse = [](std::string_view what) {
    fail(ExitCode::configuration, "the topology is inconsistent: {}", what);
  };
  if (topology.ranks.empty()) refuse("it has no ranks");
  std::size_t members = 0;
  int lowest = -1;
  for (std::size_t n = 0; n < topology.nodes.size(); ++n) {
    const Node& node = topology.nodes[n];
    members += node.ranks.size();
    if (node.ranks.empty()) refuse(fmt::format("node {} ({}) has no ranks", n, node.hostname));
    if (node.ranks.front() <= lowest)
      refuse(fmt::format("node {} does not follow node {} in the order of lowest ranks", n, n - 1));
    lowest = node.ranks.front();
    for (std::size_t local = 0; local < node.ranks.size(); ++local) {
      const int rank = node.ranks[local];
      if (rank < 0 || rank >= topology.size())
        refuse(fmt::format("node {} names rank {} of {}", n, rank, topology.size()));
      if (local > 0 && rank <= node.ranks[local - 1])
        refuse(fmt::format("the ranks of node {} are out of order", n));
      const Place& place = topology.place(rank);
      if (place.node != static_cast<int>(n) || place.local_rank != static_cast<int>(local))
        refuse(fmt::format("rank {} and node {} do not name each other", rank, n));
      const int gpus = static_cast<int>(node.gpus.size());
      for (const int gpu : place.visible_gpus)
        if (gpu < 0 || gpu >= gpus)
          refuse(fmt::format("rank {} sees GPU {} but node {} has {}", rank, gpu, n, gpus));
      if (place.gpu >= gpus)
        refuse(fmt::format("rank {} uses GPU {} but node {} has {}", rank, place.gpu, n, gpus));
    }
  }
  if (members != topology.ranks.size())
    refuse(fmt::format("its nodes hold {} ranks of {}", members, topology.ranks.size()));
}

}  // namespace trireme::comm
