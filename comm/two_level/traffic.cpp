#include "comm/two_level/traffic.h"

#include <algorithm>

#include "comm/two_level/shard_rounds.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

/// What a rank puts on its way inside its node and in its lane, in elements.
class Counter {
 public:
  Counter(const NodeLayout& layout, int index)
      : nodes_(static_cast<std::size_t>(layout.nodes())),
        node_(layout.node_of(index)),
        local_(layout.local_of(index)),
        beside_(layout.members(node_).size()),
        lane_(layout.in_a_lane(index)) {}

  void spread(const Shards& sent) { inside_ += sent.total() - sent.count(local_); }
  void gather_inside(const Shards& shards) { inside_ += shards.count(local_) * (beside_ - 1); }
  void gather_across(std::size_t mine) { across_ += lane_ ? mine * (nodes_ - 1) : 0; }
  void spread_across(const Shards& sent) { across_ += lane_ ? sent.total() - sent.count(node_) : 0; }

  int node() const { return node_; }
  int local() const { return local_; }
  int beside() const { return static_cast<int>(beside_); }
  bool in_a_lane() const { return lane_; }
  Traffic bytes(std::size_t width) const { return {inside_ * width, across_ * width}; }

 private:
  std::size_t nodes_;
  int node_, local_;
  std::size_t beside_;
  bool lane_;
  std::size_t inside_ = 0, across_ = 0;
};

void count_sharded(Counter& counter, const Call& call, const NodeLayout& layout, std::size_t most) {
  const ShardRounds rounds(call.shards, layout, most);
  for (int round = 0; round < rounds.count(); ++round) {
    const auto lane_load = [&] { return rounds.lane_load(counter.local(), round); };
    if (call.kind == Call::Kind::all_gather) {
      counter.spread(rounds.exchanged(counter.node(), counter.local(), round));
      if (counter.in_a_lane()) counter.gather_across(lane_load().count(counter.node()));
      counter.gather_inside(rounds.lane_loads(counter.node(), round));
    } else {
      counter.spread(rounds.lane_loads(counter.node(), round));
      if (counter.in_a_lane()) counter.spread_across(lane_load());
      counter.spread(rounds.exchanged_by_lane(counter.node(), counter.local(), round));
    }
  }
}

void count_all_reduce(Counter& counter, const Call& call, const NodeLayout& layout, std::size_t most) {
  const std::size_t granule = 64 / size_of(call.dtype);
  for (std::size_t begin = 0; begin < call.count; begin += most) {
    const Shards lanes = Shards::cut(std::min(most, call.count - begin), layout.lanes(), granule);
    std::vector<std::size_t> counts(static_cast<std::size_t>(counter.beside()), 0);
    for (int lane = 0; lane < layout.lanes(); ++lane)
      counts[static_cast<std::size_t>(lane)] = lanes.count(lane);
    const Shards slices = Shards::of(std::move(counts));
    const std::size_t slice = slices.count(counter.local());
    counter.spread(slices);
    if (layout.nodes() == 2) {
      counter.gather_across(slice);
    } else {
      const Shards pieces = Shards::cut(slice, layout.nodes(), granule);
      counter.spread_across(pieces);
      counter.gather_across(pieces.count(counter.node()));
    }
    counter.gather_inside(slices);
  }
}

}  // namespace

Traffic two_level_traffic(const Call& call, int index, const NodeLayout& layout,
                          const TwoLevelOptions& options) {
  require(layout.nodes() > 1, "a group on one node has one level");
  const std::size_t width = size_of(call.dtype);
  const std::size_t elements = call.kind == Call::Kind::all_reduce ? call.count : call.shards.total();
  const std::size_t most = round_bytes(options, layout, elements * width) / width;
  Counter counter(layout, index);
  switch (call.kind) {
    case Call::Kind::all_gather:
    case Call::Kind::reduce_scatter:
      count_sharded(counter, call, layout, most);
      break;
    case Call::Kind::all_reduce:
      count_all_reduce(counter, call, layout, most);
      break;
    default:
      fail(ExitCode::internal, "{} has no two levels", name_of(call.kind));
  }
  return counter.bytes(width);
}

}  // namespace trireme::comm
