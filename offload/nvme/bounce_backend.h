#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/device.h"
#include "offload/nvme/backend.h"

namespace trireme::offload {

/// Lets a backend of host memory move a device's, which stops over in the meeting place. The copies are
/// waited for at once: a link to the host is several times as fast as a drive, and requests given before are
/// on their way meanwhile.
class BounceBackend final : public Backend {
 public:
  BounceBackend(Device& device, Buffer meeting, std::unique_ptr<Backend> inner);
  ~BounceBackend() override;

  std::string_view name() const override { return name_; }
  unsigned depth() const override { return inner_->depth(); }
  void submit(std::span<const Request> requests) override;
  std::size_t wait(std::span<Completion> into) override;
  void wake() noexcept override { inner_->wake(); }
  std::string describe(int number) const override { return inner_->describe(number); }
  bool register_memory(std::span<std::byte> memory) override;
  void forget_memory(std::span<std::byte> memory) override;
  bool register_file(int descriptor) override { return inner_->register_file(descriptor); }
  void forget_file(int descriptor) override { inner_->forget_file(descriptor); }

 private:
  struct Stop {
    std::byte* data = nullptr;
    Request request;
  };
  const Stop& take(const Request& request);

  Device& device_;
  std::unique_ptr<Stream> stream_;
  /// Whole pages for each request that may be on its way.
  Buffer meeting_;
  std::span<std::byte> pages_;
  std::size_t stop_bytes_;
  std::vector<Stop> stops_;
  std::vector<std::size_t> free_;
  /// By the request's tag.
  std::unordered_map<std::uint64_t, std::size_t> taken_;
  std::string name_;
  std::unique_ptr<Backend> inner_;
};

}  // namespace trireme::offload
