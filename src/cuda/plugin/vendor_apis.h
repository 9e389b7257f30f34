#pragma once
#include "cuda/apis.h"

namespace trireme::cuda {

/// The tables filled with NVIDIA's own functions. The one place that links them.
const Apis& vendor_apis();

/// Makes `stream` the calling thread's current stream for LibTorch's CUDA operations.
void use_for_tensors(cudaStream_t stream, int device);
cudaStream_t tensor_stream(int device);
void release_unused_tensor_memory();

void watch_tensor_waits(bool on);
std::uint64_t tensor_waits(int device);
/// While they are watched: the calling thread's are counted.
void count_tensor_waits_of_thread();

}  // namespace trireme::cuda
