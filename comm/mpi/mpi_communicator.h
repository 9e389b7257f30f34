#pragma once
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include <mpi.h>

#include "comm/communicator.h"
#include "comm/mpi/transfers.h"
#include "comm/shm/node_heap.h"

namespace trireme::comm {

struct MpiLimits {
  /// The longest single message.
  std::size_t piece_bytes = Transfers::longest_piece;
  /// Memory that a reduction may use for what the other ranks send.
  std::size_t scratch_bytes = std::size_t{32} << 20;
  /// What a broadcast passes on at a time.
  std::size_t segment_bytes = std::size_t{4} << 20;
  /// The longest message to another node in what all ranks exchange at once, and how much of that leaves a
  /// rank before what came with it has arrived.
  std::size_t across_piece_bytes = Transfers::longest_piece;
  std::size_t turn_bytes = std::numeric_limits<std::size_t>::max();

  /// Over TCP a message that asks its receiver first moves on only while both ranks look, which beside
  /// computation takes twice the link's time: what goes unasked waits in the kernel's buffers instead.
  static MpiLimits of_this_transport();
};

/// The MPI backend: works across nodes and for any host memory. Collectives are made of non-blocking messages
/// between pairs of ranks, polled, so that they can run out of time, hold more than 2^31 elements, and add in
/// the order of the ranks.
class MpiCommunicator final : public Communicator {
 public:
  /// Takes ownership of `communicator`, whose ranks are those of `group`, in order.
  MpiCommunicator(MPI_Comm communicator, Group group, int world_rank, const std::vector<int>& node_of_rank,
                  std::shared_ptr<NodeHeap> heap, CommunicatorOptions options, MpiLimits limits);
  ~MpiCommunicator() override;

  std::string_view backend() const override { return "mpi"; }
  Buffer allocate(std::size_t bytes) override { return heap_->allocate(bytes); }

 protected:
  void execute(const Call& call) override;

 private:
  void dispatch(const Call& call);
  void all_gather(const Call& call);
  void reduce_scatter(const Call& call);
  struct Stretch {
    std::size_t offset, count;
    /// What `block` elements from `done` on cover of it.
    Stretch part(std::size_t done, std::size_t block) const;
  };
  /// What every rank swaps with every other, `block` elements of each stretch at a time.
  struct Swap {
    std::size_t longest, block;
    std::function<std::span<std::byte>(std::size_t done, int from)> landing;
    std::function<std::span<const std::byte>(std::size_t done, int to)> leaving;
    /// Called once, when the first block is under way.
    std::function<void()> besides;
    /// Called for each block that came, while the next is under way.
    std::function<void(std::size_t done)> landed;
  };
  void exchange(const Call& call, const Swap& swap);
  using StretchOf = std::function<Stretch(int member)>;
  /// Every rank's stretch of the input goes to it, and what each sends lands in its stretch of the output.
  void swap_stretches(const Call& call, const StretchOf& arriving, const StretchOf& leaving);
  void start(Transfers& turn, const Swap& swap, std::size_t done) const;
  /// How much of a rank's stretch goes in one turn.
  std::size_t block_of(std::size_t width, std::size_t bytes_of_a_turn) const;
  /// Every rank sends each other what of the input that one reduces, a block at a time.
  void exchange_and_reduce(const Call& call, const std::vector<Stretch>& reduced_by);
  void all_reduce(const Call& call);
  void all_reduce_at_once(const Call& call);
  void broadcast(const Call& call);
  void all_to_all(const Call& call);
  void finish(Transfers& transfers, const Call& call);
  Transfers transfers() { return Transfers(communicator_, piece_bytes_, sent_bytes_, options().gives_way); }
  Transfers turn() {
    return Transfers(communicator_, piece_bytes_of_turns_, sent_bytes_, options().gives_way);
  }

  MPI_Comm communicator_;
  std::vector<int> node_of_member_;
  std::shared_ptr<NodeHeap> heap_;
  MpiLimits limits_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<std::size_t> piece_bytes_, piece_bytes_of_turns_;
  std::vector<std::uint64_t> sent_bytes_;
  std::vector<std::byte> scratch_;
  bool broken_ = false;
};

}  // namespace trireme::comm
