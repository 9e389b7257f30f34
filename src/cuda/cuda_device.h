#pragma once
#include "core/device.h"
#include "core/device_kernels.h"
#include "cuda/apis.h"

namespace trireme::cuda {

class CudaEvent final : public DeviceEvent {
 public:
  CudaEvent(const CudaApi& api, int device);
  ~CudaEvent() override;
  CudaEvent(const CudaEvent&) = delete;
  CudaEvent& operator=(const CudaEvent&) = delete;

  bool ready() const override;
  double milliseconds_since(const DeviceEvent& earlier) const override;
  cudaEvent_t handle() const { return event_; }

 private:
  const CudaApi& api_;
  int device_;
  cudaEvent_t event_ = nullptr;
};

class CudaDevice;

class CudaStream final : public Stream {
 public:
  /// Both outlive this.
  CudaStream(const Apis& apis, const CudaDevice& device, Priority priority);
  ~CudaStream() override;
  CudaStream(const CudaStream&) = delete;
  CudaStream& operator=(const CudaStream&) = delete;

  void copy(void* to, const void* from, std::size_t bytes) override;
  void fill(void* to, unsigned char value, std::size_t bytes) override;
  void record(DeviceEvent& event) override;
  void wait(const DeviceEvent& event) override;
  void wait(const HostFlag& flag, std::uint32_t value) override;
  void finish() override;
  void use_for_tensors() override;
  void* handle() const override { return stream_; }
  cudaStream_t stream() const { return stream_; }

 private:
  void use() const;

  const Apis& apis_;
  const CudaDevice& device_;
  cudaStream_t stream_ = nullptr;
};

class CudaDevice final : public Device {
 public:
  CudaDevice(const Apis& apis, int index);

  int index() const override { return index_; }
  const DeviceInfo& info() const override { return info_; }
  DeviceMemory memory() const override;
  Buffer allocate(std::size_t bytes) override;
  Buffer allocate_pinned(std::size_t bytes) override;
  std::unique_ptr<Stream> make_stream(Priority priority) override;
  std::unique_ptr<DeviceEvent> make_event() override;
  std::unique_ptr<comm::codec::Coder> make_coder(Stream& stream) override;
  DeviceKernels& kernels() override { return *kernels_; }
  bool is_host() const override { return apis_.is_host; }
  bool reaches(const void* address) const override;
  bool holds(const void* address) const override;
  std::unique_ptr<offload::Backend> make_storage(unsigned depth, Detour detour,
                                                 std::unique_ptr<offload::Backend>& rest) override;

  int loaded_kernels() const override { return loaded_kernels_; }
  HostWaits waits() const override;
  void watch_tensors(bool on) override;

  /// CUDA's current device belongs to the thread, and lanes bring their own. A thread that asks anything
  /// before makes a context on GPU 0, whichever it means.
  void use() const;
  /// Makes room where LibTorch keeps memory that no tensor has; false where it keeps none.
  bool take_unused_from_tensors() const;

 private:
  cudaMemoryType kind_of(const void* address) const;

  const Apis& apis_;
  int index_;
  DeviceInfo info_;
  int loaded_kernels_ = 0;
  std::unique_ptr<DeviceKernels> kernels_;
};

DeviceInfo describe_device(const CudaApi& api, int index);

}  // namespace trireme::cuda
