#include "core/lane.h"

#include <utility>

#include <pthread.h>

namespace trireme {

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
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  }
  changed_.notify_all();
  return done;
}

void Lane::run(const Work& work) {
  {
    std::unique_lock lock(mutex_);
    if (busy_ || !queue_.empty()) {
      lock.unlock();
      post(work).wait();
      return;
    }
    busy_ = true;
  }
  struct Release {
    Lane& lane;
    ~Release() {
      std::lock_guard lock(lane.mutex_);
      lane.busy_ = false;
      if (!lane.queue_.empty()) lane.changed_.notify_all();
    }
  } release{*this};
  work();
}

void Lane::drain() {
  run([] {});
}

void Lane::serve() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return (!queue_.empty() && !busy_) || (stopping_ && queue_.empty()); });
    if (queue_.empty()) return;
    Item item = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
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
    busy_ = false;
  }
}

}  // namespace trireme
