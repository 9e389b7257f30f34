#pragma once
#include "core/device.h"
#include "cuda/apis.h"
#include "offload/nvme/backend.h"

namespace trireme::tests {

/// The plugin's host code over the doubles of CUDA and cuFile.
const cuda::Apis& apis_with_cufile();
/// One device for all tests of the program.
Device& device_with_cufile();
std::unique_ptr<offload::Backend> backend_with_cufile(std::string_view name, unsigned depth = 4);
/// What the kernel is said to have loaded; "" is nothing.
void pretend_nvidia_fs(const char* version);

}  // namespace trireme::tests
