#pragma once
#include <limits>

#include "cuda/apis.h"

namespace trireme::tests {

/// The device's kernels on host memory, the very same sources. Tensors of the double are the host's, computed
/// at once; so kernels wait for the stream of the thread's tensors and are done when they return.
cuda::ComputeApi host_compute_api();

/// How kernels are launched from now on: by one thread, and as many groups as a device would have, unless a
/// test wants several threads a group, or groups so few that each has a lot to do.
struct HostLaunch {
  int threads = 1;
  int most_groups = std::numeric_limits<int>::max();
};
void set_host_launch(HostLaunch launch);
HostLaunch host_launch();

/// Makes the stream the calling thread's, and waits for all that was put into it.
void use_host_stream_for_tensors(cudaStream_t stream, int device);
cudaStream_t host_tensor_stream(int device);

}  // namespace trireme::tests
