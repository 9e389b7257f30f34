#pragma once
#include "cuda/apis.h"

namespace trireme::tests {

/// The device's kernels on host memory, the very same sources. Tensors of the double are the host's, computed
/// at once; so kernels wait for the stream of the thread's tensors and are done when they return.
cuda::ComputeApi host_compute_api();

/// A group's threads, from now on: one, unless a test wants several.
void set_host_compute_threads(int threads);
int host_compute_threads();

/// Makes the stream the calling thread's, and waits for all that was put into it.
void use_host_stream_for_tensors(cudaStream_t stream, int device);
cudaStream_t host_tensor_stream(int device);

}  // namespace trireme::tests
