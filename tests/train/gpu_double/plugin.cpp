#include "core/plugin.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "comm/device_world.h"
#include "cuda/cuda_device.h"
#include "cuda/cuda_plugin.h"
#include "tests/cufile_double/host_storage.h"
#include "tests/nccl_double/host_nccl.h"

namespace {

using namespace trireme;

/// Nothing that was put on a rank's device is ever seen to end, once the file is there that GPU_DOUBLE_HANGS
/// names, with the rank behind it.
cudaError_t passed_unless_hung(cudaEvent_t event) {
  static const std::string file = [] {
    const char *hangs = std::getenv("GPU_DOUBLE_HANGS"), *rank = std::getenv("OMPI_COMM_WORLD_RANK");
    return hangs && rank ? std::string(hangs) + rank : std::string();
  }();
  if (!file.empty() && std::filesystem::exists(file)) return cudaErrorNotReady;
  return tests::host_apis().cuda.event_query(event);
}

/// GPUs made of host memory, for a program that knows nothing of it. The doubles meet over MPI, which has not
/// begun when the plugin is opened: they are asked for with the first device. What was done wrong with them
/// is told at the end, for the test to look for, and what went by cuFile. GPU_DOUBLE_NAME is what they are
/// called before they are opened; GPU_DOUBLE_NVIDIA_FS is the version of the kernel module that seems loaded.
class GpuDouble final : public DevicePlugin {
 public:
  GpuDouble() {
    tests::host_cuda_show(device_count(), cudaSuccess, CUDART_VERSION);
    // What is made before this is complete outlives it.
    tests::host_nccl_alive();
  }
  ~GpuDouble() override {
    for (const std::string& what : tests::take_misuses()) std::fprintf(stderr, "misuse: %s\n", what.c_str());
    if (const std::size_t left = tests::host_cuda_alive() + tests::host_nccl_alive())
      std::fprintf(stderr, "misuse: %zu things are left behind\n", left);
    const CufileCounts cufile = cufile_double_counts();
    if (cufile.misuses > 0) std::fprintf(stderr, "misuse: %s\n", cufile_double_misuse());
    if (cufile.reads + cufile.writes > 0)
      std::fprintf(stderr, "cuFile: %ld reads and %ld writes, %ld of memory that it did not know\n",
                   cufile.reads, cufile.writes, cufile.unregistered);
  }
  int device_count() const override { return 8; }
  DeviceInfo info(int index) const override {
    DeviceInfo info = cuda::describe_device(api_, index);
    if (const char* name = std::getenv("GPU_DOUBLE_NAME")) info.name = name;
    return info;
  }
  std::unique_ptr<Device> open(int index) override {
    apis_ = tests::host_apis();
    apis_->cuda.event_query = passed_unless_hung;
    apis_->storage = tests::host_storage_api([]() -> std::string {
      const char* version = std::getenv("GPU_DOUBLE_NVIDIA_FS");
      return version ? version : "";
    });
    plugin_.emplace(*apis_);
    return plugin_->open(index);
  }
  std::unique_ptr<comm::World> world(Device& device, comm::DeviceWorldOptions options) override {
    return plugin_->world(device, std::move(options));
  }

 private:
  cuda::CudaApi api_ = tests::host_cuda_api();
  std::optional<cuda::Apis> apis_;
  std::optional<cuda::CudaPlugin> plugin_;
};

}  // namespace

extern "C" __attribute__((visibility("default"))) DevicePlugin* trireme_device_plugin(
    std::uint32_t wanted_abi, std::uint32_t* own_abi) {
  *own_abi = device_plugin_abi;
  if (wanted_abi != device_plugin_abi) return nullptr;
  static GpuDouble plugin;
  return &plugin;
}
