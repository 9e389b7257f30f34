#pragma once
#include <vector>

#include "comm/group.h"

namespace trireme::comm {

/// How the ranks of a group lie on nodes, as the two-level collectives see it.
///
/// A lane is made of one rank from each node; the smallest node says how many lanes there are. What crosses
/// nodes travels in lanes: each carries its own part of a node's data, so that nothing crosses twice and all
/// lanes of a node send at once.
class NodeLayout {
 public:
  NodeLayout(const Group& group, const std::vector<int>& node_of_rank);

  int ranks() const { return static_cast<int>(node_.size()); }
  /// Nodes are numbered in the order in which the group first meets them.
  int nodes() const { return static_cast<int>(members_.size()); }
  int lanes() const { return lanes_; }
  /// Group indices of the node's ranks, in group order.
  const std::vector<int>& members(int node) const { return members_[static_cast<std::size_t>(node)]; }
  /// Node and position inside it of a group index.
  int node_of(int index) const { return node_[static_cast<std::size_t>(index)]; }
  int local_of(int index) const { return local_[static_cast<std::size_t>(index)]; }
  bool in_a_lane(int index) const { return local_of(index) < lanes_; }

 private:
  std::vector<std::vector<int>> members_;
  std::vector<int> node_, local_;
  int lanes_ = 0;
};

}  // namespace trireme::comm
