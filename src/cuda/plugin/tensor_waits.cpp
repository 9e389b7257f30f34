#include <atomic>

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/util/Exception.h>
#include <dlfcn.h>

#include "cuda/plugin/vendor_apis.h"

namespace trireme::cuda {
namespace {

std::atomic<std::uint64_t> waits{0};

/// LibTorch warns of each wait where it is asked to.
class Counter final : public c10::WarningHandler {
 public:
  void process(const c10::Warning& warning) override {
    if (warning.msg().find("synchronizing CUDA operation") != std::string::npos)
      ++waits;
    else
      c10::WarningHandler::process(warning);
  }
};

/// LibTorch's own: what an inline function of its headers would find here is a copy that nobody else reads.
c10::cuda::WarningState* tensor_state() {
  static void* const found = [] {
    void* library = dlopen("libc10_cuda.so", RTLD_NOW | RTLD_NOLOAD);
    return library ? dlsym(library, "_ZZN3c104cuda13warning_stateEvE14warning_state_") : nullptr;
  }();
  return static_cast<c10::cuda::WarningState*>(found);
}

std::atomic<bool> watched{false};

}  // namespace

void watch_tensor_waits(bool on) {
  watched = on;
  if (c10::cuda::WarningState* state = tensor_state())
    state->set_sync_debug_mode(on ? c10::cuda::SyncDebugMode::L_WARN : c10::cuda::SyncDebugMode::L_DISABLED);
}

std::uint64_t tensor_waits(int device) {
  auto* memory = c10::cuda::CUDACachingAllocator::get();
  if (!memory || !memory->initialized()) return waits;
  const auto stats = memory->getDeviceStats(static_cast<c10::DeviceIndex>(device));
  return waits + static_cast<std::uint64_t>(stats.num_device_alloc + stats.num_device_free);
}

void count_tensor_waits_of_thread() {
  static Counter counter;
  if (watched && c10::WarningUtils::get_warning_handler() != &counter)
    c10::WarningUtils::set_warning_handler(&counter);
}

}  // namespace trireme::cuda
