#pragma once
#include "cuda/apis.h"
#include "cuda/cufile_driver.h"
#include "tests/cufile_double/cufile_double.h"
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {

/// cuFile's double over the double of CUDA. `module_version`: of what the kernel is said to have loaded.
inline cuda::StorageApi host_storage_api(std::string (*module_version)()) {
  cufile_double_connect([](void* stream, void (*work)(void*), void* about) {
    host_cuda_post(static_cast<cudaStream_t>(stream), [=] { work(about); });
  });
  return {.load = [] { return cuda::load_cufile(TRIREME_CUFILE_DOUBLE); }, .module_version = module_version};
}

}  // namespace trireme::tests
