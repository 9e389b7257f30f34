#include "comm/bench/layout.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "comm/bench/names.h"

namespace trireme::comm::bench {
namespace {

constexpr std::array all_spans{Span::world, Span::node, Span::across};

std::map<int, std::vector<int>> ranks_of_nodes(const std::vector<int>& node_of_rank) {
  std::map<int, std::vector<int>> ranks;
  for (std::size_t rank = 0; rank < node_of_rank.size(); ++rank)
    ranks[node_of_rank[rank]].push_back(static_cast<int>(rank));
  return ranks;
}

Group across_nodes(const std::map<int, std::vector<int>>& nodes, int node, int rank) {
  const auto& mine = nodes.at(node);
  const auto place = static_cast<std::size_t>(std::find(mine.begin(), mine.end(), rank) - mine.begin());
  Group group;
  for (const auto& [other, ranks] : nodes) {
    if (ranks.size() != mine.size())
      fail(ExitCode::configuration,
           "--group across needs the same number of ranks on every node, but node {} has {} and node {} has "
           "{}",
           node, mine.size(), other, ranks.size());
    group.ranks.push_back(ranks[place]);
  }
  return group;
}

}  // namespace

std::string_view name_of(Span span) {
  switch (span) {
    case Span::world:
      return "world";
    case Span::node:
      return "node";
    case Span::across:
      return "across";
  }
  return "unknown";
}

Span parse_span(std::string_view name) {
  return value_named(name, all_spans, "group");
}

Group group_of(Span span, const std::vector<int>& node_of_rank, int rank) {
  const auto nodes = ranks_of_nodes(node_of_rank);
  const int node = node_of_rank[static_cast<std::size_t>(rank)];
  switch (span) {
    case Span::node:
      return {nodes.at(node)};
    case Span::across:
      return across_nodes(nodes, node, rank);
    case Span::world:
      break;
  }
  Group everyone;
  for (std::size_t other = 0; other < node_of_rank.size(); ++other)
    everyone.ranks.push_back(static_cast<int>(other));
  return everyone;
}

GroupShape shape_of(const Group& group, const std::vector<int>& node_of_rank) {
  std::map<int, int> members;
  for (const int rank : group.ranks) ++members[node_of_rank[static_cast<std::size_t>(rank)]];
  GroupShape shape{group.size(), static_cast<int>(members.size()), 1};
  int busiest = 1;
  for (const auto& [node, ranks] : ranks_of_nodes(node_of_rank))
    if (members.contains(node)) busiest = std::max(busiest, static_cast<int>(ranks.size()) / members[node]);
  shape.groups_per_node = busiest;
  return shape;
}

}  // namespace trireme::comm::bench
