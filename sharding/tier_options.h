#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/device.h"

namespace trireme::sharding {

/// How tiers other than the device are made; which state lies where is the placement's.
struct TierOptions {
  /// Host memory is locked where the limits allow it.
  bool pin = true;
  /// Whose memory the device's is; null: the device is the host.
  Device* device = nullptr;
  /// NUMA node of the rank's cores or GPU; -1: not bound.
  int numa_node = -1;
  /// One folder on each drive.
  std::vector<std::filesystem::path> nvme_paths;
  std::string nvme_backend = "auto";
  unsigned nvme_depth = 32;
  /// An update of state on NVMe goes through memory in parts of so many elements, a multiple of every
  /// optimizer's blocks, and so many parts are on their way at once: read, updated, written.
  std::int64_t part_elements = std::int64_t{4} << 20;
  int parts_in_memory = 3;
  /// The cores whose threads share an update; empty: one thread, not pinned.
  std::vector<int> update_cores;
};

}  // namespace trireme::sharding
