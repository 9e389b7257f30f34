#include "cuda/cuda_plugin.h"

#include "comm/device_world.h"
#include "core/error.h"
#include "cuda/check.h"
#include "cuda/nccl_world.h"

namespace trireme::cuda {
namespace {

constexpr int oldest_major = 8;

int count_devices(const CudaApi& api) {
  int driver = 0;
  check(api, api.driver_get_version(&driver), "cudaDriverGetVersion");
  if (driver == 0)
    fail(ExitCode::configuration,
         "a GPU is asked for but no GPU driver is loaded; run on a machine with a GPU, or ask for the CPU");
  int count = 0;
  const cudaError_t code = api.get_device_count(&count);
  if (code != cudaSuccess) api.get_last_error();
  if (code == cudaErrorInsufficientDriver)
    fail(ExitCode::configuration,
         "the GPU driver knows CUDA {}.{} and trireme was built for CUDA {}.{}; update the driver",
         driver / 1000, driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  if (code == cudaErrorNoDevice || (code == cudaSuccess && count == 0))
    fail(ExitCode::configuration,
         "a GPU is asked for but the driver shows none; check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or ask "
         "for the CPU");
  check(api, code, "cudaGetDeviceCount");
  return count;
}

}  // namespace

CudaPlugin::CudaPlugin(const Apis& apis) : apis_(apis), device_count_(count_devices(apis.cuda)) {}

DeviceInfo CudaPlugin::info(int index) const {
  return describe_device(apis_.cuda, index);
}

std::unique_ptr<Device> CudaPlugin::open(int index) {
  if (index < 0 || index >= device_count_)
    fail(ExitCode::configuration, "GPU {} is asked for but there are {}, counted from 0", index,
         device_count_);
  auto device = std::make_unique<CudaDevice>(apis_, index);
  if (device->info().major < oldest_major)
    fail(ExitCode::configuration, "GPU {} ({}) has compute capability {}.{} and trireme needs {}.0 or newer",
         index, device->info().name, device->info().major, device->info().minor, oldest_major);
  return device;
}

std::unique_ptr<comm::World> CudaPlugin::world(Device& device, comm::DeviceWorldOptions options) {
  return std::make_unique<NcclWorld>(apis_, dynamic_cast<CudaDevice&>(device), std::move(options));
}

}  // namespace trireme::cuda
