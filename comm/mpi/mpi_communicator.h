#pragma once
#include <memory>
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
  };
  /// Every rank sends each other what of the input that one reduces, a block at a time.
  void exchange_and_reduce(const Call& call, const std::vector<Stretch>& reduced_by);
  void all_reduce(const Call& call);
  void all_reduce_at_once(const Call& call);
  void broadcast(const Call& call);
  void all_to_all(const Call& call);
  void finish(Transfers& transfers, const Call& call);
  Transfers transfers() { return Transfers(communicator_, limits_.piece_bytes, sent_bytes_); }

  MPI_Comm communicator_;
  std::vector<int> node_of_member_;
  std::shared_ptr<NodeHeap> heap_;
  MpiLimits limits_;
  std::chrono::steady_clock::time_point deadline_;
  std::vector<std::uint64_t> sent_bytes_;
  std::vector<std::byte> scratch_;
  bool broken_ = false;
};

}  // namespace trireme::comm
