#pragma once
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "offload/nvme/backend.h"

namespace trireme::offload {

/// Threads that read and write one request each, where io_uring is forbidden.
class ThreadBackend final : public Backend {
 public:
  explicit ThreadBackend(unsigned depth);
  ~ThreadBackend() override;

  std::string_view name() const override { return "threads"; }
  unsigned depth() const override { return static_cast<unsigned>(threads_.size()); }
  void submit(std::span<const Request> requests) override;
  std::size_t wait(std::span<Completion> into) override;
  void wake() noexcept override;

 private:
  void serve();

  std::mutex mutex_;
  std::condition_variable wanted_, done_;
  std::deque<Request> queue_;
  std::deque<Completion> finished_;
  bool woken_ = false, stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace trireme::offload
