#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>

namespace trireme::comm {

/// A counter in shared memory that one rank raises and others wait for, alone on its cache lines. Counts may
/// wrap.
struct alignas(128) Flag {
  std::atomic<std::uint32_t> value{0};
  std::atomic<std::uint32_t> sleepers{0};
  /// Set by the owner when it has given up on the group, so that late ranks do not take its last count for
  /// consent.
  std::atomic<std::uint32_t> gave_up{0};

  bool reached(std::uint32_t target) const noexcept {
    return static_cast<std::int32_t>(value.load(std::memory_order_acquire) - target) >= 0;
  }
  void raise(std::uint32_t to) noexcept;
  bool spin(std::uint32_t target, int polls) const noexcept {
    for (int poll = 0; poll < polls; ++poll) {
      if (reached(target)) return true;
      __builtin_ia32_pause();
    }
    return reached(target);
  }
  /// False when `limit` passes first.
  bool sleep(std::uint32_t target, std::chrono::nanoseconds limit) noexcept;
};
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);

}  // namespace trireme::comm
