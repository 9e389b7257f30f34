#pragma once
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "comm/two_level/layout.h"
#include "comm/two_level/shard_rounds.h"

namespace trireme::comm {

struct TwoLevelOptions {
  /// The backends that carry the two levels, and the calls that have no two-level form.
  std::string inside = "shm";
  std::string across = "mpi";
  std::string flat = "mpi";
  /// The most and the least that one lane carries in a round, the least unless the most is less. Between them
  /// a vector takes few rounds, for ranks meet in each, but some, which overlap.
  std::size_t lane_bytes = std::size_t{1} << 19;
  std::size_t least_lane_bytes = std::size_t{1} << 17;
};

/// What all lanes carry in a round of a call that moves `bytes` in all.
std::size_t round_bytes(const TwoLevelOptions& options, const NodeLayout& layout, std::size_t bytes);

/// All-gather, reduce-scatter and all-reduce in two levels: inside each node, and between nodes in lanes (see
/// NodeLayout), so that each byte crosses to a node once. Long vectors pass through in rounds, in which the
/// work inside the node overlaps with what other rounds have on the wire. Other calls go to the flat backend.
///
/// Sums are taken in the order of the group's ranks on each node, then of the nodes: the same bits on every
/// rank and in every run. Half types are rounded once on each level.
class TwoLevelCommunicator final : public Communicator {
 public:
  /// Every rank of the world makes one together, as with World::communicator.
  TwoLevelCommunicator(World& world, const Group& group, CommunicatorOptions options,
                       const TwoLevelOptions& two_level = {});
  ~TwoLevelCommunicator() override;

  std::string_view backend() const override { return "two_level"; }
  Buffer allocate(std::size_t bytes) override { return inside_->allocate(bytes); }

  const NodeLayout& layout() const { return layout_; }
  /// The ranks of this node, in group order.
  Communicator& inside() { return *inside_; }
  /// One rank of each node, in node order; this rank alone when it is in no lane.
  Communicator& across() { return *across_; }

 protected:
  void execute(const Call& call) override;

 private:
  struct Slot {
    std::byte* slice = nullptr;
    std::byte* received = nullptr;
  };
  static constexpr int slot_count = 3;

  void all_reduce_by_levels(const Call& call);
  void reduce_scatter_by_levels(const Call& call);
  void all_gather_by_levels(const Call& call);

  int node() const { return layout_.node_of(rank()); }
  int local() const { return layout_.local_of(rank()); }
  bool in_a_lane() const { return layout_.in_a_lane(rank()); }
  std::size_t round_elements(std::size_t elements, DType dtype) const {
    return round_bytes(two_level_, layout_, elements * size_of(dtype)) / size_of(dtype);
  }
  Slot& slot(int round) { return slots_[round % slot_count]; }
  /// Puts a call of this rank's lane on the wire; `alone` when there is nothing to overlap it with.
  Event send_across(Call call, bool alone);

  NodeLayout layout_;
  std::unique_ptr<Communicator> inside_, across_, flat_;
  TwoLevelOptions two_level_;
  Buffer scratch_;
  Slot slots_[slot_count];
  std::byte* packed_ = nullptr;
};

}  // namespace trireme::comm
