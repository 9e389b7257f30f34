#include "tests/nccl_double/host_compute.h"

#include <atomic>

#include "tests/nccl_double/host_cuda.h"
#include "tests/nccl_double/host_launcher.h"

namespace trireme::tests {
namespace {

std::atomic<HostLaunch> launch_of_kernels = HostLaunch();
thread_local cudaStream_t stream_of_tensors = nullptr;

bool finish(cudaStream_t stream, const char* function) {
  if (!stream) return true;
  if (!host_cuda_enter(stream, function)) return false;
  host_cuda_finish(stream);
  return true;
}

}  // namespace

bool HostLauncher::may_launch(std::int64_t groups, cudaStream_t stream) {
  if (groups > 0) return finish(stream, "a kernel");
  report_misuse("a kernel was launched on nothing");
  return false;
}

cuda::ComputeApi host_compute_api() {
  return cuda::on_device::Computing<HostLauncher>::api();
}

void set_host_launch(HostLaunch launch) {
  launch_of_kernels = launch;
}
HostLaunch host_launch() {
  return launch_of_kernels;
}

void use_host_stream_for_tensors(cudaStream_t stream, int) {
  if (finish(stream, "LibTorch's operations")) stream_of_tensors = stream;
}
cudaStream_t host_tensor_stream(int) {
  return stream_of_tensors;
}

}  // namespace trireme::tests
