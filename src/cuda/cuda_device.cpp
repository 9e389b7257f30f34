#include "cuda/cuda_device.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/bytes.h"
#include "core/error.h"
#include "cuda/check.h"
#include "cuda/cuda_coder.h"
#include "cuda/cuda_kernels.h"
#include "cuda/cufile_backend.h"

namespace trireme::cuda {

DeviceInfo describe_device(const CudaApi& api, int index) {
  cudaDeviceProp properties{};
  check(api, api.get_device_properties(&properties, index), "cudaGetDeviceProperties");
  std::array<char, 32> pci{};
  check(api, api.device_get_pci_bus_id(pci.data(), static_cast<int>(pci.size()), index),
        "cudaDeviceGetPCIBusId");
  DeviceInfo info{properties.name, pci.data(), properties.totalGlobalMem, properties.major, properties.minor};
  std::transform(info.pci_id.begin(), info.pci_id.end(), info.pci_id.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return info;
}

CudaDevice::CudaDevice(const Apis& apis, int index)
    : apis_(apis), index_(index), info_(describe_device(apis.cuda, index)) {
  use();
  if (apis_.load_kernels) check(apis_.cuda, apis_.load_kernels(&loaded_kernels_), "loading the kernels");
  kernels_ = std::make_unique<CudaKernels>(apis_, *this);
}

void CudaDevice::use() const {
  check(apis_.cuda, apis_.cuda.set_device(index_), "cudaSetDevice");
}

bool CudaDevice::take_unused_from_tensors() const {
  if (!apis_.release_unused_tensor_memory) return false;
  apis_.cuda.get_last_error();
  apis_.release_unused_tensor_memory();
  return true;
}

DeviceMemory CudaDevice::memory() const {
  use();
  DeviceMemory memory;
  check(apis_.cuda, apis_.cuda.mem_get_info(&memory.free_bytes, &memory.total_bytes), "cudaMemGetInfo");
  return memory;
}

Buffer CudaDevice::allocate(std::size_t bytes) {
  use();
  count_memory_wait();
  void* data = nullptr;
  const auto attempt = [&] { return apis_.cuda.malloc(&data, std::max<std::size_t>(bytes, 1)); };
  cudaError_t code = attempt();
  if (code == cudaErrorMemoryAllocation && take_unused_from_tensors()) code = attempt();
  if (code == cudaErrorMemoryAllocation) {
    apis_.cuda.get_last_error();
    fail(ExitCode::configuration,
         "GPU {} ({}) has no room for {}: {} of {} are free; lower the batch or spread the state wider",
         index_, info_.pci_id, human_bytes(static_cast<double>(bytes)),
         human_bytes(static_cast<double>(memory().free_bytes)),
         human_bytes(static_cast<double>(info_.memory_bytes)));
  }
  check(apis_.cuda, code, "cudaMalloc");
  return Buffer(data, bytes, [this, data] {
    count_memory_wait();
    apis_.cuda.free(data);
  });
}

Buffer CudaDevice::allocate_pinned(std::size_t bytes) {
  use();
  count_memory_wait();
  void* data = nullptr;
  const unsigned flags = cudaHostAllocPortable | cudaHostAllocMapped;
  const cudaError_t code = apis_.cuda.host_alloc(&data, std::max<std::size_t>(bytes, 1), flags);
  if (code == cudaErrorMemoryAllocation) {
    apis_.cuda.get_last_error();
    fail(ExitCode::configuration,
         "the host has no {} to pin for GPU {}; raise the memory limit of the job or keep less on the host",
         human_bytes(static_cast<double>(bytes)), index_);
  }
  check(apis_.cuda, code, "cudaHostAlloc");
  return Buffer(data, bytes, [this, data] {
    count_memory_wait();
    apis_.cuda.free_host(data);
  });
}

std::unique_ptr<Stream> CudaDevice::make_stream(Priority priority) {
  use();
  return std::make_unique<CudaStream>(apis_, *this, priority);
}

std::unique_ptr<DeviceEvent> CudaDevice::make_event() {
  use();
  return std::make_unique<CudaEvent>(apis_.cuda, index_);
}

std::unique_ptr<comm::codec::Coder> CudaDevice::make_coder(Stream& stream) {
  return std::make_unique<CudaCoder>(apis_, *this, dynamic_cast<CudaStream&>(stream));
}

HostWaits CudaDevice::waits() const {
  HostWaits waits = Device::waits();
  if (apis_.tensor_waits) waits.tensors = apis_.tensor_waits(index_);
  return waits;
}

void CudaDevice::watch_tensors(bool on) {
  if (apis_.watch_tensor_waits) apis_.watch_tensor_waits(on);
}

cudaMemoryType CudaDevice::kind_of(const void* address) const {
  apis_.cuda.set_device(index_);
  cudaPointerAttributes attributes{};
  if (apis_.cuda.pointer_get_attributes(&attributes, address) == cudaSuccess) return attributes.type;
  apis_.cuda.get_last_error();
  return cudaMemoryTypeUnregistered;
}

bool CudaDevice::reaches(const void* address) const {
  return kind_of(address) != cudaMemoryTypeUnregistered;
}

bool CudaDevice::holds(const void* address) const {
  return kind_of(address) == cudaMemoryTypeDevice;
}

std::unique_ptr<offload::Backend> CudaDevice::make_storage(unsigned depth, Detour detour,
                                                           std::unique_ptr<offload::Backend>& rest) {
  require(apis_.storage.load != nullptr, "this device has no storage library");
  return make_cufile_backend(apis_, *this, depth, detour, rest);
}

}  // namespace trireme::cuda
