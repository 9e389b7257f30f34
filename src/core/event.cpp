#include "core/event.h"

#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace trireme {
namespace {

constexpr int polls_before_sleep = 200;

void futex_wait(const std::atomic<int>& word, int expected, const timespec* limit) {
  syscall(SYS_futex, reinterpret_cast<const int*>(&word), FUTEX_WAIT_PRIVATE, expected, limit, nullptr, 0);
}

void futex_wake_all(std::atomic<int>& word) {
  syscall(SYS_futex, reinterpret_cast<int*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace

Event Event::already_set() {
  Event event;
  event.set();
  return event;
}

void Event::finish(int phase) noexcept {
  state_->phase.store(phase, std::memory_order_release);
  futex_wake_all(state_->phase);
}

void Event::set() noexcept {
  finish(succeeded);
}

void Event::set_error(std::exception_ptr error) noexcept {
  state_->error = std::move(error);
  finish(failed);
}

void Event::throw_if_failed() const {
  if (state_->phase.load(std::memory_order_acquire) == failed) std::rethrow_exception(state_->error);
}

void Event::wait() const {
  for (int poll = 0; poll < polls_before_sleep && !ready(); ++poll) __builtin_ia32_pause();
  while (!ready()) futex_wait(state_->phase, pending, nullptr);
  throw_if_failed();
}

bool Event::wait_for(std::chrono::nanoseconds limit) const {
  using clock = std::chrono::steady_clock;
  const auto deadline = clock::now() + limit;
  while (!ready()) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - clock::now()).count();
    if (left <= 0) return false;
    const timespec sleep{left / 1'000'000'000, left % 1'000'000'000};
    futex_wait(state_->phase, pending, &sleep);
  }
  throw_if_failed();
  return true;
}

}  // namespace trireme
