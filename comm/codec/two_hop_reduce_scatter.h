#pragma once
#include <memory>
#include <vector>

#include "comm/codec/order.h"
#include "comm/communicator.h"
#include "comm/two_level/layout.h"
#include "comm/two_level/shard_rounds.h"

namespace trireme::comm {

struct TwoHopOptions {
  codec::BlockFormat inside = codec::int4_blocks;
  codec::BlockFormat across = codec::int4_blocks;
  /// What one lane carries in a round.
  std::size_t lane_elements = std::size_t{1} << 18;
};

/// qgZ: a reduce-scatter in two quantised hops. Inside the node every rank sends each lane its part,
/// quantised; the lane sums what it got and quantises the sum in one pass; lanes exchange that between nodes,
/// sum again and hand each rank of the node its shard. Errors: one rounding of each rank's values and one of
/// each node's sum (README.md).
///
/// On one node there is one hop. Works where the world's memory is: what it is given lies there too. It has
/// communicators of its own, so it may run beside others.
class TwoHopReduceScatter {
 public:
  /// Every rank of the world makes one together, as with World::communicator.
  TwoHopReduceScatter(World& world, const Group& group, const CommunicatorOptions& options,
                      const TwoHopOptions& two_hop = {});
  ~TwoHopReduceScatter();

  /// `whole` and `shard` are f32, bf16 or f16 each; `reduction` is sum or mean. Not for two threads at once.
  void run(const void* whole, DType whole_type, void* shard, DType shard_type, const Shards& shards,
           Reduction reduction);
  /// In a stream's order it returns before it is done. Whatever order it was in last is awaited before
  /// another is used.
  void run(Order& order, const void* whole, DType whole_type, void* shard, DType shard_type,
           const Shards& shards, Reduction reduction);
  /// Throws when what was begun on a device has failed or takes too long.
  void check();

  const NodeLayout& layout() const { return layout_; }
  /// Payload bytes of this rank so far.
  Traffic traffic() const;

 private:
  struct Slot {
    std::byte* to_nodes = nullptr;
    std::byte* from_nodes = nullptr;
  };
  struct Job;

  void send_to_lanes(const Job& job, int round);
  void sum_node(const Job& job, int round);
  void sum_nodes(const Job& job, int round);
  std::size_t lane_bytes(const ShardRounds& rounds, int lane, int round) const;

  int node() const { return layout_.node_of(index_); }
  int local() const { return layout_.local_of(index_); }
  int node_ranks() const { return inside_->size(); }
  bool in_a_lane() const { return layout_.in_a_lane(index_); }

  NodeLayout layout_;
  int index_;
  TwoHopOptions options_;
  std::unique_ptr<Communicator> inside_, across_;
  std::unique_ptr<Order> thread_order_;
  std::size_t round_elements_;
  Buffer scratch_;
  std::byte *packed_, *to_lanes_, *from_ranks_, *part_;
  Slot slots_[2];
};

}  // namespace trireme::comm
