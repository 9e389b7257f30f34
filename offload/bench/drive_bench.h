#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

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

/// Writes and reads a volume over the folders, by backend, block and depth. The limit of a direction is the
/// best of the run.
std::vector<Record> measure_drives(const DriveOptions& options);

}  // namespace trireme::offload::bench
