#pragma once
#include <string_view>

#include "cuda/apis.h"

namespace trireme::cuda {

/// Throws an Error that names the function and CUDA's own words unless `code` is cudaSuccess.
void check(const CudaApi& api, cudaError_t code, std::string_view function);
/// The same for NCCL. ncclInProgress passes: a communicator that does not block says so, and is then asked
/// until it has settled.
void check(const NcclApi& api, ncclResult_t code, std::string_view function,
           ncclComm_t communicator = nullptr);

}  // namespace trireme::cuda
