#include "core/device.h"

#include <atomic>

namespace trireme {

HostFlag::HostFlag(Device& device) : memory_(device.allocate_pinned(sizeof(std::uint32_t))) {
  *memory_.as<std::uint32_t>() = 0;
}

void HostFlag::advance_to(std::uint32_t value) noexcept {
  std::atomic_ref(*memory_.as<std::uint32_t>()).store(value, std::memory_order_release);
}

std::uint32_t HostFlag::value() const noexcept {
  return std::atomic_ref(*memory_.as<std::uint32_t>()).load(std::memory_order_acquire);
}

}  // namespace trireme
