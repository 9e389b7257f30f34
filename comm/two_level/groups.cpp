#include "comm/two_level/groups.h"

namespace trireme::comm {
namespace {

int world_rank(const Group& group, int index) {
  return group.ranks[static_cast<std::size_t>(index)];
}

}  // namespace

Group node_group(const Group& group, const NodeLayout& layout, int index) {
  Group node;
  for (const int member : layout.members(layout.node_of(index)))
    node.ranks.push_back(world_rank(group, member));
  return node;
}

Group lane_group(const Group& group, const NodeLayout& layout, int index) {
  if (!layout.in_a_lane(index)) return Group{{world_rank(group, index)}};
  Group lane;
  for (int node = 0; node < layout.nodes(); ++node)
    lane.ranks.push_back(
        world_rank(group, layout.members(node)[static_cast<std::size_t>(layout.local_of(index))]));
  return lane;
}

}  // namespace trireme::comm
