#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAStream.h>

#include "cuda/plugin/vendor_apis.h"

namespace trireme::cuda {

void use_for_tensors(cudaStream_t stream, int device) {
  count_tensor_waits_of_thread();
  c10::cuda::setCurrentCUDAStream(
      c10::cuda::getStreamFromExternal(stream, static_cast<c10::DeviceIndex>(device)));
}

cudaStream_t tensor_stream(int device) {
  return c10::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).stream();
}

void release_unused_tensor_memory() {
  c10::cuda::CUDACachingAllocator::emptyCache();
}

}  // namespace trireme::cuda
