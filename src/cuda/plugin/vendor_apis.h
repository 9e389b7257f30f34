#pragma once
#include "cuda/apis.h"

namespace trireme::cuda {

/// The tables filled with NVIDIA's own functions. The one place that links them.
const Apis& vendor_apis();

/// Makes `stream` the calling thread's current stream for LibTorch's CUDA operations.
void use_for_tensors(cudaStream_t stream, int device);
cudaStream_t tensor_stream(int device);
void release_unused_tensor_memory();

}  // namespace trireme::cuda
