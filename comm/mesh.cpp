#include "comm/mesh.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"

namespace trireme::comm {

const Group& GroupSet::of(int rank) const {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [rank](const Group& group) { return group.contains(rank); });
  require(found != groups.end(), "rank {} is in none of {} groups", rank, groups.size());
  return *found;
}

Mesh::Mesh(const Topology& topology)
    : position_(topology.ranks.size()),
      node_of_rank_(topology.node_of_rank()),
      description_(topology.describe()) {
  for (const Node& node : topology.nodes) {
    node_groups_.groups.push_back(Group{node.ranks});
    order_.insert(order_.end(), node.ranks.begin(), node.ranks.end());
  }
  for (std::size_t at = 0; at < order_.size(); ++at)
    position_[static_cast<std::size_t>(order_[at])] = static_cast<int>(at);
}

GroupSet Mesh::across_nodes() const {
  GroupSet set;
  for (const Group& node : node_groups_.groups) {
    if (node.ranks.size() > set.groups.size()) set.groups.resize(node.ranks.size());
    for (std::size_t local = 0; local < node.ranks.size(); ++local)
      set.groups[local].ranks.push_back(node.ranks[local]);
  }
  return set;
}

void Mesh::refuse_unless_divides(int k, std::string_view what) const {
  if (k >= 1 && size() % k == 0) return;
  std::vector<int> fitting;
  for (int divisor = 1; divisor <= size(); ++divisor)
    if (size() % divisor == 0) fitting.push_back(divisor);
  fail(ExitCode::configuration, "{} of {} ranks do not divide the {} ranks of this job ({}); what fits: {}",
       what, k, size(), description_, fmt::join(fitting, ", "));
}

GroupSet Mesh::contiguous(int k) const {
  refuse_unless_divides(k, "groups");
  GroupSet set;
  for (auto first = order_.begin(); first != order_.end(); first += k)
    set.groups.push_back(Group{{first, first + k}});
  return set;
}

GroupSet Mesh::strided(int stride) const {
  refuse_unless_divides(stride, "strides");
  GroupSet set;
  set.groups.resize(static_cast<std::size_t>(stride));
  for (std::size_t at = 0; at < order_.size(); ++at)
    set.groups[at % static_cast<std::size_t>(stride)].ranks.push_back(order_[at]);
  return set;
}

ShardMesh Mesh::split(int k) const {
  refuse_unless_divides(k, "shard groups");
  return ShardMesh{k, contiguous(k), strided(k)};
}

ShardMesh Mesh::split_by_node() const {
  const std::size_t each = node_groups_.groups.front().ranks.size();
  for (const Group& node : node_groups_.groups)
    if (node.ranks.size() != each)
      fail(ExitCode::configuration,
           "state cannot be split over each node, because the nodes differ in size ({}): start as many ranks "
           "on every node, or split over "
           "the world or over a number of ranks that divides {}",
           description_, size());
  return split(static_cast<int>(each));
}

bool Mesh::crosses_nodes(const Group& group) const {
  const auto node = [this](int rank) { return node_of_rank_[static_cast<std::size_t>(rank)]; };
  return std::any_of(group.ranks.begin(), group.ranks.end(),
                     [&](int rank) { return node(rank) != node(group.ranks.front()); });
}

int Mesh::crossing(const GroupSet& set) const {
  return static_cast<int>(std::count_if(set.groups.begin(), set.groups.end(),
                                        [this](const Group& group) { return crosses_nodes(group); }));
}

}  // namespace trireme::comm
