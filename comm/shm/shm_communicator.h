#pragma once
#include <memory>
#include <span>
#include <vector>

#include "comm/communicator.h"
#include "comm/shm/node_heap.h"
#include "comm/shm/rounds.h"

namespace trireme::comm {

/// What a communicator over shared memory stands on.
struct ShmGround {
  /// Makes the memory of `allocate`, and finds it again.
  std::shared_ptr<NodeHeap> heap;
  /// Holds a part of ShmCommunicator::control_bytes for each rank of the group.
  std::shared_ptr<const SharedSegment> control;
  std::vector<int> part_of_rank;
  /// Whether every rank of the group shares `heap`; otherwise all data are staged in the control memory.
  bool one_heap = true;
  /// Whether each rank has a core of its own, so that waiting may spin.
  bool may_spin = true;
};

/// The backend for ranks that share memory. Data in memory from `allocate` are read and written where they
/// are; other data go through the control memory in rounds. Sums run over the ranks in order, so results are
/// the same to the bit on every rank and in every run.
class ShmCommunicator final : public Communicator {
 public:
  static std::size_t control_bytes(int ranks) { return ControlLayout(ranks).part_bytes(); }

  ShmCommunicator(ShmGround ground, Group group, int world_rank, const std::vector<int>& node_of_rank,
                  CommunicatorOptions options);
  ~ShmCommunicator() override { lane_.drain(); }

  std::string_view backend() const override { return "shm"; }
  Buffer allocate(std::size_t bytes) override { return heap_->allocate(bytes); }

 protected:
  void execute(const Call& call) override;

 private:
  using Pointers = std::vector<const void*>;

  void all_gather(const Call& call);
  void reduce_scatter(const Call& call);
  void all_reduce(const Call& call);
  void broadcast(const Call& call);
  void all_to_all(const Call& call);

  void gather_directly(const Call& call);
  void all_reduce_directly(const Call& call);
  void gather_in_rounds(const Call& call);
  void reduce_scatter_in_rounds(const Call& call);
  void all_reduce_in_rounds(const Call& call);
  void broadcast_in_rounds(const Call& call);
  void all_to_all_in_rounds(const Call& call, std::size_t largest);

  void send(const Call& call);
  void receive(const Call& call);
  void await_message(Flag& flag, std::uint32_t count, const Call& call);

  /// The first round of a call: all ranks learn where the data lie, and that they mean the same call.
  void announce(const Call& call, std::size_t in_bytes, std::size_t out_bytes);
  struct Part {
    std::size_t begin = 0, bytes = 0;
  };
  /// The first `bytes` of the input travel along, but for a part that no other rank reads.
  void announce_inline(const Call& call, std::size_t bytes, Part unshared);
  void announce_inline(const Call& call, std::size_t bytes) { announce_inline(call, bytes, Part{}); }
  void meet(const Call& call);
  void meet_and_compare(const Call& call);
  Descriptor describe(const Call& call) const;
  Reference place(const void* data, std::size_t bytes) const;
  /// Reads off the announcements where the inputs and outputs of all ranks lie.
  void note_places();
  /// The peers' data in this round's slots at `offset`; this rank's own are read from `mine`.
  const Pointers& staged(std::size_t offset, const void* mine);
  void copy_own_shard(const Call& call) const;

  std::shared_ptr<NodeHeap> heap_;
  bool one_heap_;
  std::vector<int> node_of_member_;
  Rounds rounds_;
  Deadline deadline_;
  Pointers sources_;
  std::vector<void*> targets_;
  std::vector<Reference> ins_, outs_;
  std::vector<std::uint32_t> sent_, taken_;
  bool broken_ = false;
};

}  // namespace trireme::comm
