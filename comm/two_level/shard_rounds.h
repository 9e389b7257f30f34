#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "comm/shards.h"
#include "comm/two_level/layout.h"

namespace trireme::comm {

/// Cuts a sharded vector into rounds, each a piece of every shard, that pass through bounded memory one after
/// the other. Within a round the pieces of a node's ranks, laid end to end, are the node's row; lane l
/// carries part l of each row. All of it follows from shards and layout alone, so every rank computes the
/// same.
class ShardRounds {
 public:
  /// No round holds more than `budget` elements, unless one element of every shard is already more.
  ShardRounds(const Shards& shards, const NodeLayout& layout, std::size_t budget);

  int count() const { return static_cast<int>(starts_.size()) - 1; }
  /// Where in every shard the round begins; shorter shards have no more to give.
  std::size_t start(int round) const { return starts_[static_cast<std::size_t>(round)]; }
  std::size_t piece(int index, int round) const;
  /// Where the piece begins in that rank's own shard.
  std::size_t delivered(int index, int round) const { return std::min(shards_.count(index), start(round)); }
  std::size_t row(int node, int round) const;
  /// Part of `node`'s row that each lane carries.
  Shards lane_parts(int node, int round) const;
  /// What one lane carries for each node.
  Shards lane_load(int lane, int round) const;
  /// What each rank of a node holds when the lanes hold the whole round: nothing beyond the last lane.
  Shards lane_loads(int node, int round) const;
  /// Elements that pass between a node's rank (by its position) and each of the node's lanes, over `ranks`
  /// entries.
  Shards exchanged(int node, int local, int round) const;
  /// The same as seen by a lane: elements for each rank of its node.
  Shards exchanged_by_lane(int node, int lane, int round) const;

  /// Calls f(offset in the whole vector, offset in the packed round, elements) for each contiguous stretch.
  /// Packed, a round is ordered by lane, then node.
  template <typename F>
  void for_each_stretch(int round, F&& f) const;

  std::size_t round_total(int round) const;

 private:
  std::size_t overlap(int node, int local, int lane, int round) const;

  Shards shards_;
  const NodeLayout& layout_;
  std::vector<std::size_t> starts_;
};

template <typename F>
void ShardRounds::for_each_stretch(int round, F&& f) const {
  std::size_t packed = 0;
  for (int lane = 0; lane < layout_.lanes(); ++lane)
    for (int node = 0; node < layout_.nodes(); ++node) {
      const Shards parts = lane_parts(node, round);
      const std::size_t begin = parts.offset(lane), end = begin + parts.count(lane);
      std::size_t row_at = 0;
      for (const int index : layout_.members(node)) {
        const std::size_t from = std::max(row_at, begin), to = std::min(row_at + piece(index, round), end);
        if (from < to) {
          f(shards_.offset(index) + start(round) + (from - row_at), packed, to - from);
          packed += to - from;
        }
        row_at += piece(index, round);
      }
    }
}

}  // namespace trireme::comm
