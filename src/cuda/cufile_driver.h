#pragma once
#include <chrono>
#include <string>

#include "cuda/cufile_api.h"

namespace trireme::cuda {

struct CudaApi;

/// Opens the library and finds its functions. It starts threads of its own and so is never closed. Throws an
/// Error with ExitCode::configuration where it is missing or too old for streams.
CufileApi load_cufile(const std::string& library);

/// "2.26.6"; empty where the kernel module nvidia-fs is not loaded.
std::string loaded_nvidia_fs_version();

/// What a code means, in a few words.
std::string describe_cufile(int code, int driver_code = 0);

/// cuFile's driver, open as long as this lives.
class CufileDriver {
 public:
  /// Opening it can take for ever where something is missing, so it has a time limit. Throws an Error with
  /// ExitCode::configuration.
  CufileDriver(const CudaApi& cuda, const CufileApi& api, int device, std::chrono::milliseconds limit);
  ~CufileDriver();
  CufileDriver(const CufileDriver&) = delete;
  CufileDriver& operator=(const CufileDriver&) = delete;

  const CufileApi& api() const { return api_; }
  /// Whether transfers that cannot be direct go through the library's own host memory.
  bool allows_detours() const;

 private:
  CufileApi api_;
  bool ours_ = true;
};

}  // namespace trireme::cuda
