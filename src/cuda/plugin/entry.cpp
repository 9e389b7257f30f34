#include <cstdlib>

#include "core/plugin.h"
#include "cuda/cuda_plugin.h"
#include "cuda/plugin/vendor_apis.h"

extern "C" __attribute__((visibility("default"))) trireme::DevicePlugin* trireme_device_plugin(
    std::uint32_t wanted_abi, std::uint32_t* own_abi) {
  *own_abi = trireme::device_plugin_abi;
  if (wanted_abi != trireme::device_plugin_abi) return nullptr;
  // Streams that share one of a device's queues wait for each other's waits. There are more streams than the
  // eight queues that CUDA opens otherwise, and what waits may be waiting for another rank.
  ::setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);
  static trireme::cuda::CudaPlugin plugin(trireme::cuda::vendor_apis());
  return &plugin;
}
