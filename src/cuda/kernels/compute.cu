#include "cuda/kernels/compute.h"
#include "cuda/kernels/launch.cuh"
// After the types of a device.
#include "cuda/kernels/compute_api.h"

// Compiled with -fmad=false, as updates are to give the CPU's bits.

namespace trireme::cuda {

ComputeApi compute_kernels() {
  return on_device::Computing<on_device::DeviceLauncher>::api();
}

}  // namespace trireme::cuda
