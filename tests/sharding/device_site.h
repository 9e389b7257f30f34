#pragma once
#include <memory>
#include <string>

#include "comm/communicator.h"
#include "core/device.h"

namespace trireme::sharding::tests {

/// This rank's device and the two worlds of a test: one that moves the device's memory, one the host's.
class DeviceSite {
 public:
  virtual ~DeviceSite() = default;
  virtual Device& device() = 0;
  virtual comm::World& world() = 0;
  virtual comm::World& hosts() = 0;
};

/// The double's in one test program, a GPU's in another. Throws an Error where there is none.
std::unique_ptr<DeviceSite> open_device_site();
/// What was done wrong with a site that is gone, in words; a GPU tells nothing.
std::string misuses();

}  // namespace trireme::sharding::tests
