#include "cli/compute_settings.h"

#include <cstdlib>

#include <ATen/Context.h>

#include "cli/loaded_model.h"
#include "core/log.h"
#include "sharding/tensor_memory.h"

namespace trireme::cli {

void prepare_to_compute(const jobs::JobSpec& job, Ranks& ranks) {
  const bool speaks = ranks.hosts().rank() == 0;
  share_cores(ranks.hosts());
  if (const Device* device = ranks.device()) {
    if (speaks)
      log::info(
          "computes on {} of compute capability {}.{}, one for each rank; {} kernels of ours are loaded",
          device->info().name, device->info().major, device->info().minor, device->loaded_kernels());
    if (job.tf32) at::globalContext().setFloat32MatmulPrecision("high");
    return;
  }
  sharding::keep_tensor_memory();
  if (job.tf32 && speaks)
    log::info("tf32: true changes nothing here: it is for products on GPUs, and this runs on the CPU");
}

void repeat_to_the_bit() {
  // cuBLAS repeats its sums only where its workspace has a fixed size, and LibTorch refuses it otherwise.
  ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);
  at::globalContext().setDeterministicAlgorithms(true, false);
  at::globalContext().setDeterministicFillUninitializedMemory(false);
}

}  // namespace trireme::cli
