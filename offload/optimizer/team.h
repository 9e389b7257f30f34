#pragma once
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace trireme::offload {

/// Threads that share one piece of work after another, each pinned to a core of its own and always given the
/// same part, so that the pages it touches first stay on its NUMA node.
class Team {
 public:
  /// One thread a core, the first being the caller's own, which is not pinned; empty: the caller alone.
  explicit Team(std::vector<int> cores = {});
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  int size() const { return static_cast<int>(threads_.size()) + 1; }
  /// Calls `work(member)` once on each thread and returns when all have; throws what the first of them threw.
  void run(const std::function<void(int member)>& work);
  /// Cuts `count` elements into equal ranges at multiples of `granule`, one a thread: work(begin, end).
  void for_ranges(std::int64_t count, std::int64_t granule,
                  const std::function<void(std::int64_t begin, std::int64_t end)>& work);

 private:
  void serve(int member, int core);

  std::mutex mutex_;
  std::condition_variable begun_, ended_;
  const std::function<void(int)>* work_ = nullptr;
  std::uint64_t turn_ = 0;
  int busy_ = 0;
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace trireme::offload
