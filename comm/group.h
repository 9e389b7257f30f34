#pragma once
#include <algorithm>
#include <vector>

namespace trireme::comm {

/// Ranks of the world, in the order in which they count inside the group.
struct Group {
  std::vector<int> ranks;

  int size() const { return static_cast<int>(ranks.size()); }
  /// Position of a world rank in the group; -1 when it is not a member.
  int index_of(int world_rank) const {
    const auto found = std::find(ranks.begin(), ranks.end(), world_rank);
    return found == ranks.end() ? -1 : static_cast<int>(found - ranks.begin());
  }
  bool contains(int world_rank) const { return index_of(world_rank) >= 0; }
  bool operator==(const Group&) const = default;
};

}  // namespace trireme::comm
