#pragma once
#include <string>
#include <vector>

#include "comm/group.h"
#include "comm/topology.h"

namespace trireme::comm {

/// Disjoint groups that cover the world, all made in one call: what every rank of the world passes to
/// World::communicator, each its own.
struct GroupSet {
  std::vector<Group> groups;

  const Group& of(int rank) const;
  bool operator==(const GroupSet&) const = default;
};

/// State cut over `span` ranks and repeated in every shard group. A shard group holds all of it once; the
/// members of a replica group hold the same shard. Each rank's two groups meet in that rank alone.
struct ShardMesh {
  int span = 1;
  GroupSet shards;
  GroupSet replicas;
  bool operator==(const ShardMesh&) const = default;
};

/// The groups that can be cut from a topology. Ranks count in mesh order, node after node and by local rank
/// inside a node, whatever order the launcher gave them; so contiguous groups stay inside a node where their
/// size allows it.
class Mesh {
 public:
  explicit Mesh(const Topology& topology);

  int size() const { return static_cast<int>(order_.size()); }
  int nodes() const { return static_cast<int>(node_groups_.groups.size()); }
  /// Position → world rank, and back.
  const std::vector<int>& order() const { return order_; }
  int position(int rank) const { return position_[static_cast<std::size_t>(rank)]; }

  Group world() const { return Group{order_}; }
  const GroupSet& node_groups() const { return node_groups_; }
  const Group& node_group(int rank) const { return node_groups_.of(rank); }
  /// Ranks of equal local rank across the nodes that have so many; the first group holds the nodes' leaders.
  GroupSet across_nodes() const;
  /// Positions [0, k), [k, 2k), …; refused unless k divides the world.
  GroupSet contiguous(int k) const;
  /// Positions i, i + stride, i + 2 stride, … for each i below the stride; refused unless the stride divides
  /// the world.
  GroupSet strided(int stride) const;
  /// Contiguous shard groups of k ranks and the strided replica groups between them; refused unless k divides
  /// the world.
  ShardMesh split(int k) const;
  /// Shard groups are the nodes; refused where these differ in size.
  ShardMesh split_by_node() const;

  bool crosses_nodes(const Group& group) const;
  /// How many of the groups do.
  int crossing(const GroupSet& set) const;

 private:
  void refuse_unless_divides(int k, std::string_view what) const;

  std::vector<int> order_, position_, node_of_rank_;
  GroupSet node_groups_;
  std::string description_;
};

}  // namespace trireme::comm
