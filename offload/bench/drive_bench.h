#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/device.h"
#include "offload/bench/tier_record.h"

namespace trireme::offload::bench {

struct DriveOptions {
  std::vector<std::filesystem::path> folders;
  std::uint64_t bytes = std::uint64_t{1} << 30;
  std::vector<std::uint64_t> blocks{128 << 10, 1 << 20};
  std::vector<unsigned> depths{1, 8, 32};
  std::vector<std::string> backends{"io_uring", "threads"};
  int rounds = 3;
};

/// Writes and reads a volume over the folders, one after the other and both at once, by backend, block and
/// depth. The limit of a direction is the best of the run.
std::vector<Record> measure_drives(const DriveOptions& options);

/// The same between the drives and a device's memory: GPUDirect Storage against a copy through host memory. A
/// way that this machine does not have is one record that says why.
std::vector<Record> measure_device_drives(const DriveOptions& options, Device& device);
/// What stands for all of it where there is no device.
std::vector<Record> missing_device_drives(const std::string& why);

}  // namespace trireme::offload::bench
