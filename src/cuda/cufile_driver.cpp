#include "cuda/cufile_driver.h"

#include <fstream>
#include <future>
#include <memory>
#include <thread>

#include <dlfcn.h>

#include "core/error.h"
#include "core/log.h"
#include "cuda/apis.h"

namespace trireme::cuda {
namespace {

struct Finder {
  void* library;
  const std::string& name;

  template <typename Function>
  void operator()(Function& function, const char* symbol) const {
    function = reinterpret_cast<Function>(dlsym(library, symbol));
    if (!function)
      fail(ExitCode::configuration,
           "cuFile's library {} has no {}: it is too old; install the wheel nvidia-cufile, or libcufile of "
           "CUDA 12.2 or newer",
           name, symbol);
  }
};

cufile::Status open_in_time(const CudaApi& cuda, const CufileApi& api, int device,
                            std::chrono::milliseconds limit) {
  // A thread that never comes back cannot be joined, and keeps what it uses.
  auto opened = std::make_shared<std::promise<cufile::Status>>();
  auto result = opened->get_future();
  std::thread([opened, set_device = cuda.set_device, open = api.driver_open, device] {
    set_device(device);
    opened->set_value(open());
  }).detach();
  if (result.wait_for(limit) == std::future_status::ready) return result.get();
  fail(ExitCode::configuration,
       "cuFile's driver has not opened in {} s; load the kernel module (modprobe nvidia-fs) or set "
       "offload.nvme_backend=io_uring",
       static_cast<double>(limit.count()) / 1000);
}

}  // namespace

CufileApi load_cufile(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    fail(
        ExitCode::configuration,
        "cuFile is not there ({}); install the wheel nvidia-cufile, or put libcufile.so.0 on LD_LIBRARY_PATH",
        dlerror());
  const Finder find{handle, library};
  CufileApi api;
  find(api.driver_open, "cuFileDriverOpen");
  find(api.driver_close, "cuFileDriverClose_v2");
  find(api.driver_get_properties, "cuFileDriverGetProperties");
  find(api.handle_register, "cuFileHandleRegister");
  find(api.handle_deregister, "cuFileHandleDeregister");
  find(api.buffer_register, "cuFileBufRegister");
  find(api.buffer_deregister, "cuFileBufDeregister");
  find(api.stream_register, "cuFileStreamRegister");
  find(api.stream_deregister, "cuFileStreamDeregister");
  find(api.read_async, "cuFileReadAsync");
  find(api.write_async, "cuFileWriteAsync");
  return api;
}

std::string loaded_nvidia_fs_version() {
  std::ifstream file("/proc/driver/nvidia-fs/version");
  std::string line;
  std::getline(file, line);
  const std::size_t digits = line.find_first_of("0123456789");
  return digits == std::string::npos ? line : line.substr(digits);
}

std::string describe_cufile(int code, int driver_code) {
  const auto words = [code]() -> const char* {
    switch (code) {
      case cufile::driver_not_initialised:
        return "the kernel module nvidia-fs is not loaded and compatibility mode is off";
      case cufile::platform_not_supported:
        return "this machine has no GPUDirect Storage";
      case cufile::io_not_supported:
        return "the file system has no GPUDirect Storage";
      case cufile::device_not_supported:
        return "the GPU has no GPUDirect Storage";
      case cufile::driver_failed:
        return "the GPU's driver failed";
      case cufile::invalid_file_type:
        return "not a regular file";
      case cufile::invalid_open_flag:
      case cufile::direct_access_not_set:
        return "the file is not open for direct access";
      case cufile::memory_already_registered:
        return "the memory is registered already";
      case cufile::memory_not_registered:
        return "the memory is not registered";
      case cufile::file_not_registered:
        return "the file is not registered";
      case cufile::file_already_registered:
        return "the file is registered already";
      case cufile::io_disabled:
        return "cufile.json forbids GPUDirect Storage for the file";
      case cufile::pinning_failed:
        return "GPU memory cannot be pinned";
      case cufile::async_not_supported:
        return "transfers in streams are not supported";
      case cufile::no_memory:
        return "out of memory";
      case cufile::io_error:
        return "input/output error";
      default:
        return "it failed";
    }
  };
  return driver_code != 0 ? fmt::format("cuFile: {} ({}, CUDA {})", words(), code, driver_code)
                          : fmt::format("cuFile: {} ({})", words(), code);
}

CufileDriver::CufileDriver(const CudaApi& cuda, const CufileApi& api, int device,
                           std::chrono::milliseconds limit)
    : api_(api) {
  const cufile::Status status = open_in_time(cuda, api, device, limit);
  ours_ = status.code != cufile::driver_already_open;
  if (status.code != cufile::success && ours_)
    fail(
        ExitCode::configuration,
        "GPUDirect Storage cannot be had: {}; look at `trireme doctor`, or set offload.nvme_backend=io_uring",
        describe_cufile(status.code, status.driver_code));
}

CufileDriver::~CufileDriver() {
  if (!ours_) return;
  const cufile::Status status = api_.driver_close();
  if (status.code != cufile::success)
    log::warning("cuFile's driver does not close: {}", describe_cufile(status.code, status.driver_code));
}

bool CufileDriver::allows_detours() const {
  cufile::DriverProperties properties;
  return api_.driver_get_properties(&properties).code == cufile::success &&
         (properties.control_flags & cufile::compatibility_allowed) != 0;
}

}  // namespace trireme::cuda
