#pragma once
#include <cstddef>

#include <cuda_runtime_api.h>
#include <sys/types.h>

namespace trireme::cuda {

/// cuFile's binary interface (1.7, of CUDA 12.2, and newer), told here once more: its header is not
/// everywhere where CUDA is, and its library is opened at run time. tests/cuda/cufile_abi_test.cpp holds it
/// against the header where there is one.
namespace cufile {

struct Status {
  int code = 0;
  /// CUDA's own, where `code` is driver_failed.
  int driver_code = 0;
};

constexpr int success = 0, base_code = 5000;
constexpr int driver_not_initialised = 5001, platform_not_supported = 5007, io_not_supported = 5008,
              device_not_supported = 5009, driver_failed = 5011, invalid_file_type = 5018,
              invalid_open_flag = 5019, direct_access_not_set = 5020, memory_already_registered = 5023,
              memory_not_registered = 5024, driver_already_open = 5026, file_not_registered = 5027,
              file_already_registered = 5028, io_disabled = 5034, pinning_failed = 5036,
              async_not_supported = 5038, no_memory = 5043, io_error = 5044;

using File = void*;

struct FileDescription {
  int type = 1;  ///< a Linux descriptor
  union {
    int descriptor;
    void* handle;
  };
  const void* operations = nullptr;
};

struct DriverProperties {
  unsigned major_version = 0, minor_version = 0;
  std::size_t poll_threshold = 0, most_direct_io = 0;
  unsigned status_flags = 0, control_flags = 0;
  unsigned feature_flags = 0, most_cache = 0, cache_of_buffer = 0, most_pinned = 0;
  unsigned most_batch = 0, batch_timeout_ms = 0;
};
/// Bits of `control_flags`.
constexpr unsigned compatibility_allowed = 1u << 1;

/// For streams: nothing about a request changes after it was submitted, and everything lies on pages.
constexpr unsigned fixed_and_aligned = 1 | 2 | 4 | 8;

}  // namespace cufile

/// The functions of cuFile that the plugin calls.
struct CufileApi {
  cufile::Status (*driver_open)() = nullptr;
  cufile::Status (*driver_close)() = nullptr;
  cufile::Status (*driver_get_properties)(cufile::DriverProperties*) = nullptr;
  cufile::Status (*handle_register)(cufile::File*, cufile::FileDescription*) = nullptr;
  void (*handle_deregister)(cufile::File) = nullptr;
  cufile::Status (*buffer_register)(const void*, std::size_t, int flags) = nullptr;
  cufile::Status (*buffer_deregister)(const void*) = nullptr;
  cufile::Status (*stream_register)(cudaStream_t, unsigned flags) = nullptr;
  cufile::Status (*stream_deregister)(cudaStream_t) = nullptr;
  /// The library reads sizes and offsets, and writes what was moved, when the stream comes to it.
  using Transfer = cufile::Status (*)(cufile::File, void* base, std::size_t* bytes, off_t* file_offset,
                                      off_t* memory_offset, ssize_t* moved, cudaStream_t);
  Transfer read_async = nullptr;
  Transfer write_async = nullptr;
};

}  // namespace trireme::cuda
