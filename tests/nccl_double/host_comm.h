#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/nccl_double/host_nccl.h"

namespace trireme::tests {

/// One of NCCL's calls, as it was made.
struct HostOp {
  enum class Kind { all_gather, reduce_scatter, all_reduce, broadcast, reduce, send, receive };
  Kind kind = Kind::all_gather;
  const void* in = nullptr;
  void* out = nullptr;
  std::size_t count = 0;
  ncclDataType_t type = ncclInt8;
  ncclRedOp_t reduction = ncclSum;
  /// Root of a broadcast or reduce, the other side of a send or receive.
  int peer = 0;
  cudaStream_t stream = nullptr;
};

std::string describe(const HostOp& op);

/// A communicator of the double. It does not block: what is begun runs in a thread or waits, and is looked
/// after by get_async_error.
class HostComm : public std::enable_shared_from_this<HostComm> {
 public:
  HostComm(int rank, std::vector<int> world_ranks, int context);
  ~HostComm();
  void join();

  int rank() const { return rank_; }
  int size() const { return static_cast<int>(members_.size()); }
  int world_rank(int rank) const { return members_[static_cast<std::size_t>(rank)]; }
  int tag(int kind) const { return context_ * 8 + kind; }
  const std::atomic<bool>& stop() const { return stop_; }

  /// Runs `work` in a thread; until it has ended and somebody has asked, the communicator is in progress.
  void begin(std::function<ncclResult_t()> work);
  /// Holds the calls back until somebody has asked for the state twice: NCCL launches late, too.
  void hold(std::vector<HostOp> ops);
  bool holds_for(cudaStream_t stream) const;
  ncclResult_t state();
  bool in_progress();
  void set_error(ncclResult_t error) { error_ = error; }
  void become(int rank, std::vector<int> world_ranks, int context);

  void raise_stop() { stop_ = true; }
  std::map<void*, std::size_t> registered;
  bool finalized = false;
  /// The stream of the first call; a communicator's calls must not be spread over streams.
  cudaStream_t stream = nullptr;

 private:
  void launch();

  int rank_;
  std::vector<int> members_;
  int context_;
  std::atomic<bool> stop_{false};
  std::atomic<ncclResult_t> error_{ncclSuccess};
  std::atomic<bool> working_{false};
  std::atomic<bool> unasked_{false};
  std::thread worker_;
  mutable std::mutex mutex_;
  std::vector<HostOp> held_;
  int asked_ = 0;
};

/// Carries out a launched group over the wire; runs on the stream's thread.
ncclResult_t carry_out(HostComm& comm, const std::vector<HostOp>& ops);

}  // namespace trireme::tests
