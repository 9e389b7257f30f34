#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "comm/buffer.h"
#include "comm/call.h"
#include "comm/group.h"
#include "core/event.h"
#include "core/lane.h"

namespace trireme::comm {

class Communicator;

/// Sees every call as it begins and ends; the watchdog's board and the traces are observers. Called on the
/// thread that runs the call.
class CallObserver {
 public:
  virtual ~CallObserver() = default;
  /// A communicator that will make calls exists; only its name, group and rank may be asked for yet.
  virtual void opened(const Communicator&) noexcept {}
  virtual void closed(const Communicator&) noexcept {}
  virtual void began(const Communicator& communicator, const Call& call, std::uint64_t sequence) noexcept = 0;
  virtual void ended(const Communicator& communicator, const Call& call, std::uint64_t sequence) noexcept = 0;
};

struct CommunicatorOptions {
  std::string name = "world";
  /// A call that takes longer throws an Error with ExitCode::hang that names group, operation and sequence
  /// number.
  std::chrono::milliseconds time_limit{std::chrono::minutes(10)};
  std::shared_ptr<CallObserver> observer;
  /// Who waits sleeps instead of polling: threads that compute need its core.
  bool gives_way = false;
};

/// Payload bytes that this rank has put on its way, by where they went.
struct Traffic {
  std::uint64_t inside_node = 0;
  std::uint64_t across_nodes = 0;
};

/// Moves flat arrays between the ranks of one group. Every rank of the group makes the same calls in the same
/// order.
///
/// `post` queues a call on the communicator's lane and returns; `run` (and the named forms) returns when the
/// call is done. Both keep the order in which they were made.
class Communicator {
 public:
  virtual ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return group_.size(); }
  const Group& group() const { return group_; }
  const std::string& name() const { return options_.name; }
  const CommunicatorOptions& options() const { return options_; }
  virtual std::string_view backend() const = 0;

  /// Memory that this backend's fast paths use. Every rank of the *node* calls it in the same order; sizes
  /// may differ from rank to rank. The buffer may be used with every communicator of the process and must be
  /// released before they are.
  virtual Buffer allocate(std::size_t bytes) = 0;

  Event post(Call call, std::vector<Event> waits = {});
  void run(const Call& call);
  void drain() { lane_.drain(); }

  void all_gather(const void* shard, void* whole, const Shards& shards, DType dtype);
  void reduce_scatter(const void* whole, void* shard, const Shards& shards, DType dtype, Reduction reduction);
  void all_reduce(const void* in, void* out, std::size_t count, DType dtype, Reduction reduction);
  void broadcast(void* data, std::size_t count, DType dtype, int root);
  void all_to_all(const void* in, void* out, const Shards& sent, const Shards& received, DType dtype);
  void send(const void* data, std::size_t count, DType dtype, int to);
  void receive(void* data, std::size_t count, DType dtype, int from);
  void barrier();

  Traffic traffic() const { return {inside_node_.load(), across_nodes_.load()}; }
  /// Calls begun so far; equal on all ranks of the group when they agree.
  std::uint64_t sequence() const { return sequence_.load(); }

 protected:
  Communicator(Group group, int world_rank, CommunicatorOptions options);

  /// For a backend with a way in beside `post` and `run`: counts a call and returns its sequence number.
  std::uint64_t begin_call() { return sequence_.fetch_add(1, std::memory_order_relaxed); }
  /// Carries out one call and returns when `out` holds the result and `in` may be written again.
  virtual void execute(const Call& call) = 0;
  void count_traffic(std::uint64_t inside_node, std::uint64_t across_nodes) {
    if (inside_node > 0) inside_node_.fetch_add(inside_node, std::memory_order_relaxed);
    if (across_nodes > 0) across_nodes_.fetch_add(across_nodes, std::memory_order_relaxed);
  }
  /// The error of a call that ran out of time; `who` says what is known of the missing ranks. Without a
  /// number: the latest call.
  [[noreturn]] void fail_timeout(const Call& call, std::string_view who,
                                 std::optional<std::uint64_t> number = {}) const;

 private:
  void observe_and_execute(const Call& call);

  Group group_;
  int rank_;
  CommunicatorOptions options_;
  std::atomic<std::uint64_t> sequence_{0};
  std::atomic<std::uint64_t> inside_node_{0};
  std::atomic<std::uint64_t> across_nodes_{0};

 protected:
  /// Declared last: its thread ends before what the calls use. Backends whose state the calls touch drain it
  /// in their destructor.
  Lane lane_;
};

/// Makes communicators for groups of one world, whatever carries it: MPI processes, or threads in a test.
class World {
 public:
  virtual ~World() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// World rank → node index; equal on all ranks.
  virtual const std::vector<int>& node_of_rank() const = 0;
  /// Of this rank's node: those that its ranks may run on, all together.
  virtual int cores() const = 0;
  /// Every rank of the *world* calls it in the same order, each naming the group that it is in; groups of one
  /// call are disjoint. `backend` is "mpi", "shm", "two_level", "nccl" or "auto".
  virtual std::unique_ptr<Communicator> communicator(const Group& group, std::string_view backend,
                                                     CommunicatorOptions options) = 0;
};

}  // namespace trireme::comm
