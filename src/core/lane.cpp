#include "core/lane.h"

#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace trireme {
namespace {

constexpr std::uint32_t busy = 1, one_queued = 2;

/// By how much a thread in the background stands back; Linux keeps that for each thread.
constexpr int background_niceness = 10;

}  // namespace

Lane::~Lane() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

Event Lane::post(Work work, std::vector<Event> waits) {
  Event done;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back({std::move(work), std::move(waits), done});
    state_.fetch_add(one_queued, std::memory_order_release);
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  }
  changed_.notify_all();
  return done;
}

void Lane::run(const Work& work) {
  std::uint32_t idle = 0;
  if (!state_.compare_exchange_strong(idle, busy, std::memory_order_acquire)) {
    post(work).wait();
    return;
  }
  struct Release {
    Lane& lane;
    ~Release() { lane.end_run(); }
  } release{*this};
  work();
}

void Lane::end_run() {
  if (state_.fetch_sub(busy, std::memory_order_acq_rel) == busy) return;
  // Taking the mutex once makes sure that the thread, which saw the lane busy, is asleep before it is woken.
  { std::lock_guard lock(mutex_); }
  changed_.notify_all();
}

bool Lane::take_turn() {
  std::uint32_t state = state_.load(std::memory_order_relaxed);
  while ((state & busy) == 0)
    if (state_.compare_exchange_weak(state, state | busy, std::memory_order_acquire)) return true;
  return false;
}

void Lane::drain() {
  run([] {});
}

void Lane::serve() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  if (urgency_ == Urgency::background) (void)nice(background_niceness);
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return queue_.empty() ? stopping_ : take_turn(); });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    try {
      for (const Event& wait : item.waits) wait.wait();
      item.work();
      item.work = nullptr;
      item.done.set();
    } catch (...) {
      item.done.set_error(std::current_exception());
    }
    lock.lock();
    state_.fetch_sub(busy + one_queued, std::memory_order_release);
  }
}

}  // namespace trireme
