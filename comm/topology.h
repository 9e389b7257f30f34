#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace trireme::comm {

/// A GPU, or a slice of one, known without asking any driver library.
struct Gpu {
  std::string id;  ///< PCI id ("0000:3b:00.0"); the UUID of a slice ("MIG-…")
  std::string name;
  std::string uuid;
  int numa = -1;  ///< -1: not known
  bool operator==(const Gpu&) const = default;
};

struct NetworkInterface {
  std::string name;
  std::string address;
  double gigabits = 0;  ///< per second; 0: not known
  bool infiniband = false;
  int numa = -1;
  bool operator==(const NetworkInterface&) const = default;
};

struct NumaNode {
  int id = 0;
  int cores = 0;
  std::vector<int> distances;  ///< to each of the node's NUMA nodes in their order; 10 is "here"
  bool operator==(const NumaNode&) const = default;
};

/// Ranks that can share memory.
struct Node {
  std::string hostname;
  std::string boot_id;
  std::vector<NumaNode> numa;
  std::vector<Gpu> gpus;
  std::vector<NetworkInterface> interfaces;
  std::vector<int> ranks;  ///< by local rank

  /// As the kernel counts distance; the largest one when either id is not known.
  int numa_distance(int from, int to) const;
  bool operator==(const Node&) const = default;
};

/// Where one rank runs.
struct Place {
  int node = 0;
  int local_rank = 0;
  std::vector<int> cores;         ///< that the rank may run on
  std::vector<int> numa;          ///< ids that hold these cores
  std::vector<int> visible_gpus;  ///< indices into the node's gpus, in the order in which the rank's CUDA
                                  ///< would number them
  int gpu = -1;                   ///< index into the node's gpus; -1: none assigned
  bool operator==(const Place&) const = default;
};

/// What the ranks of a job run on; equal on all ranks. Nodes are numbered in the order of their lowest rank.
struct Topology {
  std::vector<Node> nodes;
  std::vector<Place> ranks;

  /// Made by hand: ranks in blocks, node after node.
  static Topology regular(int nodes, int ranks_per_node);
  static Topology ragged(const std::vector<int>& ranks_of_node);
  /// Any order of ranks over nodes; nodes count from 0 without gaps.
  static Topology of_nodes(const std::vector<int>& node_of_rank);

  int size() const { return static_cast<int>(ranks.size()); }
  const Place& place(int rank) const { return ranks[static_cast<std::size_t>(rank)]; }
  const Node& node_of(int rank) const { return nodes[static_cast<std::size_t>(place(rank).node)]; }
  std::vector<int> node_of_rank() const;
  /// Every node holds the same number of ranks.
  bool even() const;
  /// The number that CUDA gives to the rank's GPU in its process; -1 without one.
  int device_ordinal(int rank) const;
  /// "3 nodes × 2 ranks" or "3 ranks on 2 nodes (2+1)".
  std::string describe() const;
  bool operator==(const Topology&) const = default;
};

/// One line.
std::string to_json(const Topology& topology);
/// Throws a configuration error that says what is missing, malformed or inconsistent.
Topology topology_from_json(std::string_view text);
/// Throws a configuration error unless ranks and nodes name each other.
void check_consistent(const Topology& topology);

}  // namespace trireme::comm
