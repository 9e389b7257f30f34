#pragma once
#include <array>
#include <memory>
#include <vector>

#include "core/descriptor.h"
#include "offload/nvme/backend.h"

struct io_uring;
struct io_uring_sqe;

namespace trireme::offload {

/// The kernel's rings: no thread waits for a drive.
class UringBackend final : public Backend {
 public:
  /// Throws a configuration error where the kernel, a seccomp filter or a sysctl forbids it.
  explicit UringBackend(unsigned depth);
  ~UringBackend() override;

  std::string_view name() const override { return "io_uring"; }
  unsigned depth() const override { return depth_; }
  void submit(std::span<const Request> requests) override;
  std::size_t wait(std::span<Completion> into) override;
  void wake() noexcept override;
  bool register_memory(std::span<std::byte> memory) override;
  void forget_memory(std::span<std::byte> memory) override;
  bool register_file(int descriptor) override;
  void forget_file(int descriptor) override;

 private:
  struct Close {
    void operator()(io_uring* ring) const;
  };
  io_uring_sqe* next_entry();
  void listen_for_wakes();
  void prepare(io_uring_sqe* entry, const Request& request) const;
  int find_memory(const Request& request) const;

  unsigned depth_;
  std::unique_ptr<io_uring, Close> ring_;
  Descriptor wakes_;
  std::uint64_t woken_ = 0;
  /// By the kernel's index; empty and -1 are free.
  std::vector<std::span<std::byte>> memory_;
  std::vector<int> files_;
};

}  // namespace trireme::offload
