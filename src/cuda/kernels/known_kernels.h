#pragma once
#include <vector>

#include <cuda_runtime_api.h>

namespace trireme::cuda {

/// All kernels of this library: each is listed by the code that launches it, before `main`.
const std::vector<const void*>& known_kernels();
bool list_kernel(const void* kernel);

/// Loads them onto the current device, where a first launch would otherwise and might wait for all that the
/// device was given. `loaded` counts them.
cudaError_t load_kernels(int* loaded);

}  // namespace trireme::cuda
