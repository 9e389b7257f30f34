#include "core/device.h"

#include <atomic>

#include "core/error.h"

namespace trireme {
namespace {

std::atomic<Device*> computing_on{nullptr};

}  // namespace

Device* compute_device() noexcept {
  return computing_on.load(std::memory_order_acquire);
}

ComputingOn::ComputingOn(Device& device) {
  Device* none = nullptr;
  require(computing_on.compare_exchange_strong(none, &device), "this process computes on a device already");
}

ComputingOn::~ComputingOn() {
  computing_on.store(nullptr, std::memory_order_release);
}

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
