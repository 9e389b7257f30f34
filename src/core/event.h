#pragma once
#include <atomic>
#include <chrono>
#include <exception>
#include <memory>

namespace trireme {

/// A point in the work of a lane that others wait for: set once, by success or with an exception. Copies
/// share the point.
class Event {
 public:
  Event() : state_(std::make_shared<State>()) {}
  static Event already_set();

  void set() noexcept;
  void set_error(std::exception_ptr error) noexcept;
  bool ready() const noexcept { return state_->phase.load(std::memory_order_acquire) != pending; }
  /// Returns when set; throws what the work threw.
  void wait() const;
  /// False when `limit` passes first.
  bool wait_for(std::chrono::nanoseconds limit) const;

 private:
  static constexpr int pending = 0, succeeded = 1, failed = 2;
  struct State {
    std::atomic<int> phase{pending};
    std::exception_ptr error;
  };
  void finish(int phase) noexcept;
  void throw_if_failed() const;
  std::shared_ptr<State> state_;
};

}  // namespace trireme
