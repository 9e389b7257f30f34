#include "comm/topology_assemble.h"

#include <algorithm>
#include <map>

#include "core/error.h"

namespace trireme::comm {
namespace {

void refuse_problems(const std::vector<RankReport>& reports) {
  for (std::size_t rank = 0; rank < reports.size(); ++rank)
    if (const RankReport& report = reports[rank]; !report.problem.empty())
      fail(static_cast<ExitCode>(report.problem_code), "rank {} on {}: {}", rank, report.hostname,
           report.problem);
}

void refuse_split_machines(const std::vector<RankReport>& reports) {
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    const RankReport& report = reports[rank];
    const RankReport& leader = reports.at(static_cast<std::size_t>(report.shared_memory_leader));
    if (report.boot_id == leader.boot_id && report.hostname == leader.hostname) continue;
    fail(ExitCode::configuration,
         "MPI says that ranks {} and {} share memory, but they run on {} (boot {}) and {} (boot {}): give "
         "every host or container its own "
         "hostname as the launcher knows it",
         report.shared_memory_leader, rank, leader.hostname, leader.boot_id, report.hostname, report.boot_id);
  }
}

int gpu_index(Node& node, const Gpu& gpu) {
  const auto found =
      std::find_if(node.gpus.begin(), node.gpus.end(), [&](const Gpu& known) { return known.id == gpu.id; });
  return found == node.gpus.end() ? -1 : static_cast<int>(found - node.gpus.begin());
}

/// Ranks of a node may each see different GPUs; the node has all of them, by id.
void collect_gpus(Topology& topology, const std::vector<RankReport>& reports) {
  for (Node& node : topology.nodes) {
    for (const int rank : node.ranks)
      for (const Gpu& gpu : reports[static_cast<std::size_t>(rank)].gpus)
        if (gpu_index(node, gpu) < 0) node.gpus.push_back(gpu);
    std::sort(node.gpus.begin(), node.gpus.end(), [](const Gpu& a, const Gpu& b) { return a.id < b.id; });
    for (const int rank : node.ranks)
      for (const Gpu& gpu : reports[static_cast<std::size_t>(rank)].gpus)
        topology.ranks[static_cast<std::size_t>(rank)].visible_gpus.push_back(gpu_index(node, gpu));
  }
}

}  // namespace

Topology assemble(const std::vector<RankReport>& reports) {
  refuse_problems(reports);
  refuse_split_machines(reports);
  std::map<int, int> node_of_leader;
  std::vector<int> node_of_rank;
  for (const RankReport& report : reports)
    node_of_rank.push_back(
        node_of_leader.try_emplace(report.shared_memory_leader, static_cast<int>(node_of_leader.size()))
            .first->second);

  Topology topology = Topology::of_nodes(node_of_rank);
  for (const auto& [leader, index] : node_of_leader) {
    const RankReport& report = reports[static_cast<std::size_t>(leader)];
    Node& node = topology.nodes[static_cast<std::size_t>(index)];
    node.hostname = report.hostname;
    node.boot_id = report.boot_id;
    node.numa = report.numa_nodes;
    node.interfaces = report.interfaces;
  }
  for (std::size_t rank = 0; rank < reports.size(); ++rank) {
    topology.ranks[rank].cores = reports[rank].cores;
    topology.ranks[rank].numa = reports[rank].numa;
  }
  collect_gpus(topology, reports);
  return topology;
}

}  // namespace trireme::comm
