#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/buffer.h"

namespace trireme {

struct DeviceInfo {
  std::string name;
  /// "0000:3b:00.0", as the kernel and hwloc write it.
  std::string pci_id;
  std::size_t memory_bytes = 0;
  /// Compute capability: 9.0 is {9, 0}.
  int major = 0;
  int minor = 0;
};

struct DeviceMemory {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
};

/// How often threads of the host have waited for a device, or may have had to, by what made them.
struct HostWaits {
  /// For what they had put into a stream.
  std::uint64_t streams = 0;
  /// Memory taken or given back, for which a device comes to rest.
  std::uint64_t memory = 0;
  /// LibTorch's own.
  std::uint64_t tensors = 0;

  HostWaits operator-(const HostWaits& before) const {
    return {streams - before.streams, memory - before.memory, tensors - before.tensors};
  }
};

/// A point in a device's work. Recorded again and again; waiting and asking mean the latest recording.
class DeviceEvent {
 public:
  virtual ~DeviceEvent() = default;
  /// True once the device has passed the point, and when nothing was recorded yet. Throws when the device has
  /// failed.
  virtual bool ready() const = 0;
  /// Milliseconds of device time from `earlier` to this point; both have been passed.
  virtual double milliseconds_since(const DeviceEvent& earlier) const = 0;
};

class Device;
class DeviceKernels;

namespace offload {
class Backend;
}  // namespace offload

namespace comm {
class World;
struct DeviceWorldOptions;
namespace codec {
class Coder;
}  // namespace codec
}  // namespace comm

/// A counter in pinned host memory by which a host lane lets a stream go on. It only grows.
class HostFlag {
 public:
  explicit HostFlag(Device& device);
  void advance_to(std::uint32_t value) noexcept;
  std::uint32_t value() const noexcept;
  const std::uint32_t* address() const { return memory_.as<std::uint32_t>(); }

 private:
  Buffer memory_;
};

/// A lane of a device: work is done in the order in which it is put in, asynchronously to the host.
class Stream {
 public:
  virtual ~Stream() = default;
  /// Between any two places; host memory must be pinned for the host not to wait.
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;
  virtual void fill(void* to, unsigned char value, std::size_t bytes) = 0;
  virtual void record(DeviceEvent& event) = 0;
  virtual void wait(const DeviceEvent& event) = 0;
  /// Later work begins once the flag has reached `value`.
  virtual void wait(const HostFlag& flag, std::uint32_t value) = 0;
  /// Blocks the host until everything put in so far is done.
  virtual void finish() = 0;
  /// From now on the calling thread's tensor operations on this device go into this stream.
  virtual void use_for_tensors() = 0;
  /// The device library's own stream, for those who know it.
  virtual void* handle() const = 0;
};

enum class Priority : std::uint8_t { normal, high };

/// Whether a storage library may itself go through host memory where drives and device cannot meet.
enum class Detour : std::uint8_t { refused, allowed };

/// One GPU as its process sees it. Must outlive everything that it made.
class Device {
 public:
  virtual ~Device() = default;
  virtual int index() const = 0;
  virtual const DeviceInfo& info() const = 0;
  virtual DeviceMemory memory() const = 0;
  virtual Buffer allocate(std::size_t bytes) = 0;
  /// Host memory that the device reads and writes by itself.
  virtual Buffer allocate_pinned(std::size_t bytes) = 0;
  virtual std::unique_ptr<Stream> make_stream(Priority priority = Priority::normal) = 0;
  virtual std::unique_ptr<DeviceEvent> make_event() = 0;
  /// The wire codecs of this device, which work on the stream and must not outlive it (comm/codec/coder.h).
  virtual std::unique_ptr<comm::codec::Coder> make_coder(Stream& stream) = 0;
  /// What is computed on it (core/device_kernels.h).
  virtual DeviceKernels& kernels() = 0;
  /// Whether its memory is what tensors of the host lie in: so it is with a device that tests make.
  virtual bool is_host() const { return false; }
  /// Whether the device may touch this address: its own memory, or pinned host memory.
  virtual bool reaches(const void* address) const = 0;
  /// Whether this is the device's own memory, which the host cannot touch.
  virtual bool holds(const void* address) const = 0;
  /// Moves between drives and this device's memory without the host's (offload/nvme/backend.h). `rest`, taken
  /// only when this succeeds, does what the storage library refuses. Throws an Error with
  /// ExitCode::configuration where there is no such way.
  virtual std::unique_ptr<offload::Backend> make_storage(unsigned depth, Detour detour,
                                                         std::unique_ptr<offload::Backend>& rest) = 0;

  /// How many of its own kernels were loaded when it was opened, so that no first launch loads one.
  virtual int loaded_kernels() const { return 0; }
  /// So far, of all threads; LibTorch's own only where they are watched, and not of every device.
  virtual HostWaits waits() const { return {stream_waits_, memory_waits_, 0}; }
  virtual void watch_tensors(bool /*on*/) {}
  void count_stream_wait() const noexcept { ++stream_waits_; }
  void count_memory_wait() const noexcept { ++memory_waits_; }

 private:
  mutable std::atomic<std::uint64_t> stream_waits_{0}, memory_waits_{0};
};

/// All that the rest of trireme sees of a GPU stack. Lives in a library that is opened at run time:
/// core/plugin.h.
class DevicePlugin {
 public:
  virtual ~DevicePlugin() = default;
  virtual int device_count() const = 0;
  virtual DeviceInfo info(int index) const = 0;
  virtual std::unique_ptr<Device> open(int index) = 0;
  /// The world whose communicators move this device's memory (comm/device_world.h). Collective over all
  /// ranks.
  virtual std::unique_ptr<comm::World> world(Device& device, comm::DeviceWorldOptions options) = 0;
};

/// The device that this process computes on; null: the host's processors.
Device* compute_device() noexcept;

/// Makes a device the process's, as long as this lives. There is one at a time.
class ComputingOn {
 public:
  explicit ComputingOn(Device& device);
  ~ComputingOn();
  ComputingOn(const ComputingOn&) = delete;
  ComputingOn& operator=(const ComputingOn&) = delete;
};

}  // namespace trireme
