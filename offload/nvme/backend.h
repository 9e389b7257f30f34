#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "core/buffer.h"

namespace trireme {
class Device;
class DeviceEvent;
}  // namespace trireme

namespace trireme::offload {

/// One read or write of one file, no larger than what the kernel does in one go.
struct Request {
  int descriptor = -1;
  bool write = false;
  std::uint64_t offset = 0;
  std::byte* data = nullptr;
  std::uint32_t bytes = 0;
  std::uint64_t tag = 0;
  /// A device's memory is touched when the device has passed this point; null: at once.
  const DeviceEvent* after = nullptr;
};

struct Completion {
  std::uint64_t tag = 0;
  /// Bytes moved, fewer than asked for perhaps; or an errno, or a number of the backend's own, negated.
  std::int64_t result = 0;
};

/// Does requests in any order. One thread at a time calls it, except for `wake`.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  /// The most requests that may be on their way.
  virtual unsigned depth() const = 0;
  virtual void submit(std::span<const Request> requests) = 0;
  /// Blocks until something is done, or `wake` is called: then perhaps 0.
  virtual std::size_t wait(std::span<Completion> into) = 0;
  virtual void wake() noexcept = 0;
  /// What a number of a completion means, in words.
  virtual std::string describe(int number) const { return std::generic_category().message(number); }

  /// Hints that save the kernel work for each request. False: it goes without.
  virtual bool register_memory(std::span<std::byte>) { return false; }
  virtual void forget_memory(std::span<std::byte>) {}
  virtual bool register_file(int) { return false; }
  virtual void forget_file(int) {}
};

/// The largest request, unless a user of backends says otherwise.
constexpr std::uint32_t usual_block_bytes = 1 << 20;

/// Of pinned host memory in which drives and a device meet where they do not reach each other.
std::size_t meeting_bytes(unsigned depth, std::uint32_t block_bytes = usual_block_bytes);

/// "auto": io_uring where the kernel lets this process have it, else threads. "io_uring" and "threads"
/// insist. With a device its memory is moved as well: "auto" takes GPUDirect Storage where it is at hand,
/// else a copy by way of `meeting`; "cufile" insists on the former, "io_uring" and "threads" on the latter.
std::unique_ptr<Backend> make_backend(std::string_view name, unsigned depth, Device* device = nullptr,
                                      Buffer meeting = {});

}  // namespace trireme::offload
