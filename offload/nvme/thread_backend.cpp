#include "offload/nvme/thread_backend.h"

#include <algorithm>
#include <cerrno>

#include <unistd.h>

namespace trireme::offload {
namespace {

/// More threads than this gain nothing on any drive that was measured, and each costs a stack.
constexpr unsigned most_threads = 64;

std::int64_t carry_out(const Request& request) {
  const auto at = static_cast<off_t>(request.offset);
  const ssize_t moved = request.write ? ::pwrite(request.descriptor, request.data, request.bytes, at)
                                      : ::pread(request.descriptor, request.data, request.bytes, at);
  return moved >= 0 ? moved : -errno;
}

}  // namespace

ThreadBackend::ThreadBackend(unsigned depth) {
  for (unsigned i = 0; i < std::clamp(depth, 1u, most_threads); ++i)
    threads_.emplace_back([this] { serve(); });
}

ThreadBackend::~ThreadBackend() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadBackend::submit(std::span<const Request> requests) {
  {
    const std::lock_guard lock(mutex_);
    queue_.insert(queue_.end(), requests.begin(), requests.end());
  }
  for (std::size_t i = 0; i < requests.size(); ++i) wanted_.notify_one();
}

std::size_t ThreadBackend::wait(std::span<Completion> into) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [this] { return woken_ || !finished_.empty(); });
  woken_ = false;
  std::size_t count = 0;
  for (; count < into.size() && !finished_.empty(); finished_.pop_front()) into[count++] = finished_.front();
  return count;
}

void ThreadBackend::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  done_.notify_one();
}

void ThreadBackend::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Request request = queue_.front();
    queue_.pop_front();
    lock.unlock();
    const Completion completion{request.tag, carry_out(request)};
    lock.lock();
    finished_.push_back(completion);
    done_.notify_one();
  }
}

}  // namespace trireme::offload
