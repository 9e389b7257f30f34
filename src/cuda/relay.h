#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "offload/nvme/backend.h"

namespace trireme::cuda {

/// Serves a second backend beside the one that owns it: a thread of its own gives it requests and passes its
/// completions on.
class Relay {
 public:
  using Pass = std::function<void(std::span<const offload::Completion>)>;
  Relay(std::unique_ptr<offload::Backend> backend, Pass pass);
  /// Waits for what is on its way.
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  void submit(const offload::Request& request);
  /// On the thread that calls the backend, between its requests.
  bool run(const std::function<bool(offload::Backend&)>& work);

 private:
  void serve();
  void give_up();
  void do_chores(std::unique_lock<std::mutex>& lock);

  std::unique_ptr<offload::Backend> backend_;
  Pass pass_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<offload::Request> queue_;
  std::vector<std::function<void()>> chores_;
  std::vector<std::uint64_t> under_way_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace trireme::cuda
