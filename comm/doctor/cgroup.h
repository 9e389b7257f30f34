#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>

namespace trireme::comm::doctor {

struct CgroupLimits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> processors;
  bool operator==(const CgroupLimits&) const = default;
};

/// The tightest limits on the way from this process's control groups to the top, v1 and v2. `root` stands
/// before /proc and /sys.
CgroupLimits read_cgroup_limits(const std::filesystem::path& root);

}  // namespace trireme::comm::doctor
