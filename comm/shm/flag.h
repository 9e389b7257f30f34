#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace trireme::comm {

/// A counter in shared memory that one rank raises and others wait for. Counts may
/// wrap.
struct Flag {
  std::atomic<std::uint32_t> value{0};
  std::atomic<std::uint32_t> sleepers{0};

  /// A pause costs as much as a cache line takes from core to core.
  static constexpr int polls_without_pause = 100;

  bool reached(std::uint32_t target) const noexcept {
    return static_cast<std::int32_t>(value.load(std::memory_order_acquire) - target) >= 0;
  }
  void raise(std::uint32_t to) noexcept;
  bool spin(std::uint32_t target, int polls) const noexcept {
    for (int poll = 0; poll < polls; ++poll) {
      if (reached(target)) return true;
      if (poll >= polls_without_pause) __builtin_ia32_pause();
    }
    return reached(target);
  }
  /// False when `limit` passes first.
  bool sleep(std::uint32_t target, std::chrono::nanoseconds limit) noexcept;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace trireme::comm
