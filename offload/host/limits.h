#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace trireme::offload {

/// What bounds the host memory of this process; nothing where there is no bound.
struct HostLimits {
  /// RLIMIT_MEMLOCK less what is locked already; no bound for a process that may lock as it likes.
  std::optional<std::uint64_t> lockable;
  /// The least room left in the control groups from this process's own to the top. Page cache that the kernel
  /// can give up counts as room.
  std::optional<std::uint64_t> cgroup;
  /// MemAvailable of the machine.
  std::optional<std::uint64_t> machine;
};

/// `root` stands before /proc and /sys.
HostLimits read_host_limits(const std::filesystem::path& root = "/");

/// One sentence on why `bytes` for `purpose` cannot be had; nothing when they can.
std::optional<std::string> refusal(const HostLimits& limits, std::uint64_t bytes, std::string_view purpose,
                                   bool locked);
/// Throws that sentence as a configuration error.
void require_room(const HostLimits& limits, std::uint64_t bytes, std::string_view purpose, bool locked);

}  // namespace trireme::offload
