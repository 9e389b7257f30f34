#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "core/event.h"

namespace trireme {

/// An in-order queue of work on a thread of its own. The thread starts with the first posted piece of work.
class Lane {
 public:
  using Work = std::function<void()>;
  /// In the background: a core that others want as well is theirs first. Threads that the work starts take
  /// after it.
  enum class Urgency : std::uint8_t { usual, background };

  explicit Lane(std::string name, Urgency urgency = Urgency::usual)
      : name_(std::move(name)), urgency_(urgency) {}
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  const std::string& name() const { return name_; }
  /// Runs `work` after everything posted before and after `waits`. When a wait or the work throws, the
  /// returned event carries the exception and later work still runs.
  Event post(Work work, std::vector<Event> waits = {});
  /// The same, but returns when the work is done, throws what it throws, and runs it on the calling thread
  /// when the lane is idle.
  void run(const Work& work);
  /// Returns when everything posted so far is done.
  void drain();

 private:
  struct Item {
    Work work;
    std::vector<Event> waits;
    Event done;
  };
  void serve();
  bool take_turn();
  void end_run();

  std::string name_;
  Urgency urgency_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  /// The lowest bit: somebody runs work. Above it: how many pieces are queued. Work runs on the caller's
  /// thread without the mutex when all of it is zero.
  std::atomic<std::uint32_t> state_{0};
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace trireme
