#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/buffer.h"
#include "core/device.h"
#include "offload/host/limits.h"

namespace trireme::offload {

/// Where a pool's memory comes from, in large pieces.
class PinnedSource {
 public:
  virtual ~PinnedSource() = default;
  virtual Buffer reserve(std::size_t bytes) = 0;
  virtual std::string_view kind() const = 0;
};

struct HostMemoryOptions {
  enum class Locking : unsigned char {
    required,    ///< refused where the limits do not allow it
    if_allowed,  ///< ordinary memory where they do not
    none
  };
  Locking locking = Locking::if_allowed;
  /// Pages of 2 MiB: reserved ones where the machine has enough of them free, else those that the kernel puts
  /// together.
  bool huge_pages = true;
  /// NUMA node of the GPU or of the rank's cores; -1: wherever the first touch is.
  int numa_node = -1;
  /// What a refusal names.
  std::string purpose = "host tier";
};

/// Zeroed pages from the kernel, locked where that is allowed, so that they are neither paged out nor moved.
class LockedPages final : public PinnedSource {
 public:
  explicit LockedPages(
      HostMemoryOptions options, HostLimits (*limits)() = [] { return read_host_limits(); });
  Buffer reserve(std::size_t bytes) override;
  std::string_view kind() const override { return locked_bytes_ == reserved_bytes_ ? "locked" : "pageable"; }
  std::size_t locked_bytes() const { return locked_bytes_; }

 private:
  HostMemoryOptions options_;
  HostLimits (*limits_)();
  std::size_t reserved_bytes_ = 0, locked_bytes_ = 0;
};

/// Memory that a GPU reads and writes by itself. The device must outlive the source's buffers.
class DevicePages final : public PinnedSource {
 public:
  explicit DevicePages(Device& device) : device_(device) {}
  Buffer reserve(std::size_t bytes) override { return device_.allocate_pinned(bytes); }
  std::string_view kind() const override { return "pinned"; }

 private:
  Device& device_;
};

}  // namespace trireme::offload
