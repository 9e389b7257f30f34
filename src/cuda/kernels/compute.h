#pragma once
#include "cuda/apis.h"

namespace trireme::cuda {

/// What is computed on a device, over pointers and a stream. Each function returns what launching its kernels
/// returned.
ComputeApi compute_kernels();

}  // namespace trireme::cuda
