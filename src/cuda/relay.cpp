#include "cuda/relay.h"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <future>
#include <memory>
#include <utility>

#include "core/log.h"

namespace trireme::cuda {

Relay::Relay(std::unique_ptr<offload::Backend> backend, Pass pass)
    : backend_(std::move(backend)), pass_(std::move(pass)), thread_([this] { serve(); }) {}

Relay::~Relay() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_one();
  backend_->wake();
  thread_.join();
}

void Relay::submit(const offload::Request& request) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(request);
  }
  wanted_.notify_one();
  backend_->wake();
}

bool Relay::run(const std::function<bool(offload::Backend&)>& work) {
  const auto chore = std::make_shared<std::packaged_task<bool()>>([&] { return work(*backend_); });
  std::future<bool> result = chore->get_future();
  {
    const std::lock_guard lock(mutex_);
    chores_.emplace_back([chore] { (*chore)(); });
  }
  wanted_.notify_one();
  backend_->wake();
  return result.get();
}

void Relay::do_chores(std::unique_lock<std::mutex>& lock) {
  while (!chores_.empty()) {
    const auto chores = std::exchange(chores_, {});
    lock.unlock();
    for (const auto& chore : chores) chore();
    lock.lock();
  }
}

void Relay::serve() {
  std::vector<offload::Request> requests;
  std::vector<offload::Completion> completions(backend_->depth());
  for (;;) {
    requests.clear();
    {
      std::unique_lock lock(mutex_);
      do_chores(lock);
      if (under_way_.empty()) {
        wanted_.wait(lock, [this] { return stopping_ || !queue_.empty() || !chores_.empty(); });
        if (!chores_.empty()) continue;
        if (queue_.empty()) return;
      }
      while (!queue_.empty() && under_way_.size() < completions.size()) {
        requests.push_back(queue_.front());
        under_way_.push_back(queue_.front().tag);
        queue_.pop_front();
      }
    }
    try {
      if (!requests.empty()) backend_->submit(requests);
      const std::span done = std::span(completions).first(backend_->wait(completions));
      for (const offload::Completion& completion : done) std::erase(under_way_, completion.tag);
      if (!done.empty()) pass_(done);
    } catch (const std::exception& problem) {
      log::error("{}", problem.what());
      give_up();
    }
  }
}

/// The backend itself has failed: nothing that it was given will come back.
void Relay::give_up() {
  std::vector<offload::Completion> lost;
  for (const std::uint64_t tag : under_way_) lost.push_back({tag, -EIO});
  under_way_.clear();
  pass_(lost);
}

}  // namespace trireme::cuda
