#include "comm/shm/flag.h"

#include <climits>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace trireme::comm {

// The words lie in memory of several processes: so no FUTEX_PRIVATE_FLAG.
void Flag::raise(std::uint32_t to) noexcept {
  value.store(to, std::memory_order_seq_cst);
  if (sleepers.load(std::memory_order_seq_cst) != 0)
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&value), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

bool Flag::sleep(std::uint32_t target, std::chrono::nanoseconds limit) noexcept {
  const timespec span{static_cast<time_t>(limit.count() / 1'000'000'000),
                      static_cast<long>(limit.count() % 1'000'000'000)};
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  const std::uint32_t seen = value.load(std::memory_order_seq_cst);
  if (static_cast<std::int32_t>(seen - target) < 0)
    syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&value), FUTEX_WAIT, seen, &span, nullptr, 0);
  sleepers.fetch_sub(1, std::memory_order_seq_cst);
  return reached(target);
}

}  // namespace trireme::comm
