#include "comm/doctor/topology_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace trireme::comm::doctor {
namespace {

std::string describe_rank(const Topology& topology, int rank) {
  const Place& place = topology.place(rank);
  std::string line = fmt::format("    rank {}: {} core{} ({})", rank, place.cores.size(),
                                 place.cores.size() == 1 ? "" : "s", ranges(place.cores));
  if (!place.numa.empty()) line += fmt::format(", NUMA {}", ranges(place.numa));
  if (place.gpu >= 0) {
    const Node& node = topology.node_of(rank);
    const Gpu& gpu = node.gpus[static_cast<std::size_t>(place.gpu)];
    line += fmt::format(", GPU {}", gpu.id);
    if (gpu.numa >= 0 && !place.numa.empty())
      line += fmt::format(" at distance {}", node.numa_distance(place.numa.front(), gpu.numa));
  }
  return line + "\n";
}

}  // namespace

std::string ranges(std::vector<int> numbers) {
  std::sort(numbers.begin(), numbers.end());
  std::string text;
  for (std::size_t first = 0; first < numbers.size();) {
    std::size_t last = first;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += text.empty() ? "" : ",";
    text += first == last ? fmt::format("{}", numbers[first])
                          : fmt::format("{}-{}", numbers[first], numbers[last]);
    first = last + 1;
  }
  return text;
}

std::string describe(const Topology& topology) {
  std::string text = topology.describe() + "\n";
  for (std::size_t index = 0; index < topology.nodes.size(); ++index) {
    const Node& node = topology.nodes[index];
    int cores = 0;
    for (const NumaNode& numa : node.numa) cores += numa.cores;
    text += fmt::format("  node {}: {}, {} cores in {} NUMA node{}, boot {}\n", index, node.hostname, cores,
                        node.numa.size(), node.numa.size() == 1 ? "" : "s", node.boot_id);
    for (const NetworkInterface& interface : node.interfaces)
      text += fmt::format("    {} {}{}\n", interface.name, interface.address,
                          interface.gigabits > 0 ? fmt::format(", {:g} Gbit/s", interface.gigabits) : "");
    for (const Gpu& gpu : node.gpus)
      text += fmt::format("    GPU {} {}{}\n", gpu.id, gpu.name,
                          gpu.numa >= 0 ? fmt::format(", NUMA {}", gpu.numa) : "");
    for (const int rank : node.ranks) text += describe_rank(topology, rank);
  }
  return text;
}

}  // namespace trireme::comm::doctor
