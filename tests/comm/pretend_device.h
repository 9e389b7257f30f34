#pragma once
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "comm/device_world.h"
#include "core/device.h"
#include "core/error.h"
#include "offload/nvme/backend.h"

namespace trireme::tests {

/// A device made of host memory that faults when the host touches it: it opens only while the device works.
class PretendDevice final : public Device {
 public:
  class Access {
   public:
    explicit Access(PretendDevice& device) : device_(device) { device_.protect(PROT_READ | PROT_WRITE); }
    ~Access() { device_.protect(PROT_NONE); }
    Access(const Access&) = delete;
    Access& operator=(const Access&) = delete;

   private:
    PretendDevice& device_;
  };

  int index() const override { return 0; }
  const DeviceInfo& info() const override { return info_; }
  DeviceMemory memory() const override { return {}; }
  Buffer allocate(std::size_t bytes) override {
    void* data = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(data != MAP_FAILED, "no memory for the test");
    blocks_[data] = bytes;
    return Buffer(data, bytes, [this, data] { munmap(data, blocks_.extract(data).mapped()); });
  }
  Buffer allocate_pinned(std::size_t bytes) override {
    auto* data = new std::byte[bytes];
    return Buffer(data, bytes, [data] { delete[] data; });
  }
  std::unique_ptr<Stream> make_stream(Priority) override;
  std::unique_ptr<DeviceEvent> make_event() override;
  std::unique_ptr<comm::codec::Coder> make_coder(Stream&) override;
  DeviceKernels& kernels() override { fail(ExitCode::configuration, "the pretended device has no kernels"); }
  bool reaches(const void* address) const override {
    for (const auto& [data, bytes] : blocks_)
      if (address >= data && address < static_cast<const std::byte*>(data) + bytes) return true;
    return false;
  }
  bool holds(const void* address) const override { return reaches(address); }
  std::unique_ptr<offload::Backend> make_storage(unsigned, Detour,
                                                 std::unique_ptr<offload::Backend>&) override {
    fail(ExitCode::configuration, "the pretended device has no way to the drives");
  }

 private:
  void protect(int protection) {
    for (const auto& [data, bytes] : blocks_) mprotect(data, bytes, protection);
  }
  DeviceInfo info_;
  std::map<void*, std::size_t> blocks_;
};

class PretendEvent final : public DeviceEvent {
 public:
  bool ready() const override {
    if (work) std::exchange(work, nullptr)();
    return true;
  }
  double milliseconds_since(const DeviceEvent&) const override { return 0; }
  mutable std::function<void()> work;
};

/// Copies at once.
class PretendStream final : public Stream {
 public:
  explicit PretendStream(PretendDevice& device) : device_(device) {}
  void copy(void* to, const void* from, std::size_t bytes) override {
    const PretendDevice::Access access(device_);
    std::memcpy(to, from, bytes);
  }
  void fill(void* to, unsigned char value, std::size_t bytes) override {
    const PretendDevice::Access access(device_);
    std::memset(to, value, bytes);
  }
  void record(DeviceEvent&) override {}
  void wait(const DeviceEvent&) override {}
  void wait(const HostFlag&, std::uint32_t) override {}
  void finish() override {}
  void use_for_tensors() override {}
  void* handle() const override { return nullptr; }

 private:
  PretendDevice& device_;
};

inline std::unique_ptr<Stream> PretendDevice::make_stream(Priority) {
  return std::make_unique<PretendStream>(*this);
}
inline std::unique_ptr<DeviceEvent> PretendDevice::make_event() {
  return std::make_unique<PretendEvent>();
}

/// The host's, let into the device's memory.
class PretendCoder final : public comm::codec::Coder {
 public:
  explicit PretendCoder(PretendDevice& device) : device_(device) {}
  void encode(const comm::codec::BlockFormat& format, const void* in, DType dtype, std::size_t count,
              void* out) const override {
    const PretendDevice::Access access(device_);
    host_.encode(format, in, dtype, count, out);
  }
  void decode_sum(const comm::codec::BlockFormat& format, const comm::codec::Parts& parts, std::size_t count,
                  float divisor, void* out, DType dtype) const override {
    const PretendDevice::Access access(device_);
    host_.decode_sum(format, parts, count, divisor, out, dtype);
  }
  void recode_sum(const comm::codec::BlockFormat& format, const comm::codec::Parts& parts, std::size_t count,
                  const comm::codec::BlockFormat& out_format, void* out) const override {
    const PretendDevice::Access access(device_);
    host_.recode_sum(format, parts, count, out_format, out);
  }
  void copy(void* to, const void* from, std::size_t bytes) const override {
    const PretendDevice::Access access(device_);
    host_.copy(to, from, bytes);
  }
  void finish() const override {}

 private:
  PretendDevice& device_;
  const comm::codec::Coder& host_ = comm::codec::host_coder();
};

inline std::unique_ptr<comm::codec::Coder> PretendDevice::make_coder(Stream&) {
  return std::make_unique<PretendCoder>(*this);
}

/// Carries calls out by another communicator, and only when somebody asks the event behind them.
class PretendDeviceCommunicator final : public comm::DeviceCommunicator {
 public:
  PretendDeviceCommunicator(std::unique_ptr<comm::Communicator> carrier, PretendDevice& device,
                            int world_rank)
      : DeviceCommunicator(carrier->group(), world_rank, {}), carrier_(std::move(carrier)), device_(device) {}

  std::string_view backend() const override { return "pretend"; }
  Buffer allocate(std::size_t bytes) override { return device_.allocate(bytes); }
  void enqueue(const comm::Call& call, std::span<const DeviceEvent* const>, DeviceEvent& done) override {
    for (const void* data : {call.in, static_cast<const void*>(call.out)})
      require(!data || device_.reaches(data), "{} was given host memory", call.describe());
    pending_.push_back(call);
    static_cast<PretendEvent&>(done).work = [this] {
      for (const comm::Call& queued : std::exchange(pending_, {})) execute(queued);
    };
  }
  void check() override {}
  const comm::codec::Coder& coder() const override { return coder_; }

 protected:
  void execute(const comm::Call& call) override {
    const PretendDevice::Access access(device_);
    carrier_->run(call);
  }

 private:
  std::unique_ptr<comm::Communicator> carrier_;
  PretendDevice& device_;
  PretendCoder coder_{device_};
  std::vector<comm::Call> pending_;
};

class PretendDeviceWorld final : public comm::World {
 public:
  PretendDeviceWorld(comm::World& carrier, PretendDevice& device) : carrier_(carrier), device_(device) {}
  int rank() const override { return carrier_.rank(); }
  int size() const override { return carrier_.size(); }
  const std::vector<int>& node_of_rank() const override { return carrier_.node_of_rank(); }
  int cores() const override { return carrier_.cores(); }
  std::unique_ptr<comm::Communicator> communicator(const comm::Group& group, std::string_view,
                                                   comm::CommunicatorOptions options) override {
    return std::make_unique<PretendDeviceCommunicator>(carrier_.communicator(group, "mpi", options), device_,
                                                       rank());
  }

 private:
  comm::World& carrier_;
  PretendDevice& device_;
};

}  // namespace trireme::tests
