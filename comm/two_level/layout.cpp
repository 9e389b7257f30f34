#include "comm/two_level/layout.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::comm {

NodeLayout::NodeLayout(const Group& group, const std::vector<int>& node_of_rank) {
  std::vector<int> world_nodes;
  for (int index = 0; index < group.size(); ++index) {
    const auto rank = static_cast<std::size_t>(group.ranks[static_cast<std::size_t>(index)]);
    require(rank < node_of_rank.size(), "rank {} of a group is outside the world of {}", rank,
            node_of_rank.size());
    const auto found = std::find(world_nodes.begin(), world_nodes.end(), node_of_rank[rank]);
    const auto node = static_cast<std::size_t>(found - world_nodes.begin());
    if (found == world_nodes.end()) {
      world_nodes.push_back(node_of_rank[rank]);
      members_.emplace_back();
    }
    node_.push_back(static_cast<int>(node));
    local_.push_back(static_cast<int>(members_[node].size()));
    members_[node].push_back(index);
  }
  require(!members_.empty(), "a group without ranks has no layout");
  lanes_ =
      static_cast<int>(std::min_element(members_.begin(), members_.end(), [](const auto& a, const auto& b) {
                         return a.size() < b.size();
                       })->size());
}

}  // namespace trireme::comm
