#pragma once
#include <c10/core/Device.h>

#include "core/device.h"

namespace trireme::sharding {

/// Where LibTorch has the tensors of what computes on `device`; null: the host.
inline at::Device tensor_device(const Device* device) {
  if (!device || device->is_host()) return at::kCPU;
  return {at::kCUDA, static_cast<at::DeviceIndex>(device->index())};
}

}  // namespace trireme::sharding
