// What src/cuda/cufile_api.h says of cuFile's binary interface, held against NVIDIA's own header where it is
// found.
#include <cstdint>
#include <type_traits>

#include <cufile.h>
#include <gtest/gtest.h>

#include "cuda/cufile_api.h"

namespace trireme::cuda::cufile {
namespace {

static_assert(sizeof(Status) == sizeof(CUfileError_t));
static_assert(offsetof(Status, code) == offsetof(CUfileError_t, err));
static_assert(offsetof(Status, driver_code) == offsetof(CUfileError_t, cu_err));
static_assert(sizeof(FileDescription) == sizeof(CUfileDescr_t));
static_assert(offsetof(FileDescription, descriptor) == offsetof(CUfileDescr_t, handle));
static_assert(offsetof(FileDescription, operations) == offsetof(CUfileDescr_t, fs_ops));
static_assert(sizeof(DriverProperties) == sizeof(CUfileDrvProps_t));
static_assert(offsetof(DriverProperties, control_flags) == offsetof(CUfileDrvProps_t, nvfs.dcontrolflags));
static_assert(offsetof(DriverProperties, batch_timeout_ms) ==
              offsetof(CUfileDrvProps_t, max_batch_io_timeout_msecs));
static_assert(compatibility_allowed == 1u << CU_FILE_ALLOW_COMPAT_MODE);
static_assert(fixed_and_aligned == (CU_FILE_STREAM_FIXED_BUF_OFFSET | CU_FILE_STREAM_FIXED_FILE_OFFSET |
                                    CU_FILE_STREAM_FIXED_FILE_SIZE | CU_FILE_STREAM_PAGE_ALIGNED_INPUTS));
static_assert(FileDescription{}.type == CU_FILE_HANDLE_TYPE_OPAQUE_FD);
static_assert(std::is_same_v<File, CUfileHandle_t>);

static_assert(driver_not_initialised == CU_FILE_DRIVER_NOT_INITIALIZED);
static_assert(platform_not_supported == CU_FILE_PLATFORM_NOT_SUPPORTED);
static_assert(io_not_supported == CU_FILE_IO_NOT_SUPPORTED);
static_assert(device_not_supported == CU_FILE_DEVICE_NOT_SUPPORTED);
static_assert(driver_failed == CU_FILE_CUDA_DRIVER_ERROR);
static_assert(invalid_file_type == CU_FILE_INVALID_FILE_TYPE);
static_assert(invalid_open_flag == CU_FILE_INVALID_FILE_OPEN_FLAG);
static_assert(direct_access_not_set == CU_FILE_DIO_NOT_SET);
static_assert(memory_already_registered == CU_FILE_MEMORY_ALREADY_REGISTERED);
static_assert(memory_not_registered == CU_FILE_MEMORY_NOT_REGISTERED);
static_assert(driver_already_open == CU_FILE_DRIVER_ALREADY_OPEN);
static_assert(file_not_registered == CU_FILE_HANDLE_NOT_REGISTERED);
static_assert(file_already_registered == CU_FILE_HANDLE_ALREADY_REGISTERED);
static_assert(io_disabled == CU_FILE_IO_DISABLED);
static_assert(pinning_failed == CU_FILE_GPU_MEMORY_PINNING_FAILED);
static_assert(async_not_supported == CU_FILE_ASYNC_NOT_SUPPORTED);
static_assert(no_memory == CU_FILE_NOMEM_ERROR);
static_assert(io_error == CU_FILE_IO_ERROR);

/// Whether each parameter is passed as the header's is: the same type, or one of the same size and kind.
template <typename Ours, typename Theirs>
struct SamePassing : std::false_type {};
template <typename A, typename B>
constexpr bool passes_as() {
  if constexpr (std::is_same_v<A, B> || (std::is_pointer_v<A> && std::is_pointer_v<B>)) return true;
  if constexpr (std::is_class_v<A> && std::is_class_v<B>) return sizeof(A) == sizeof(B);
  return false;
}
template <typename R, typename... As, typename S, typename... Bs>
struct SamePassing<R (*)(As...), S (*)(Bs...)>
    : std::bool_constant<passes_as<R, S>() && (passes_as<As, Bs>() && ...)> {};

template <auto Theirs, typename Ours>
constexpr bool same = SamePassing<Ours, decltype(Theirs)>::value;

TEST(CufileAbi, FunctionsArePassedWhatTheHeaderSays) {
  EXPECT_TRUE((same<cuFileDriverOpen, decltype(CufileApi::driver_open)>));
  EXPECT_TRUE((same<cuFileDriverClose, decltype(CufileApi::driver_close)>));
  EXPECT_TRUE((same<cuFileDriverGetProperties, decltype(CufileApi::driver_get_properties)>));
  EXPECT_TRUE((same<cuFileHandleRegister, decltype(CufileApi::handle_register)>));
  EXPECT_TRUE((same<cuFileHandleDeregister, decltype(CufileApi::handle_deregister)>));
  EXPECT_TRUE((same<cuFileBufRegister, decltype(CufileApi::buffer_register)>));
  EXPECT_TRUE((same<cuFileBufDeregister, decltype(CufileApi::buffer_deregister)>));
  EXPECT_TRUE((same<cuFileStreamRegister, decltype(CufileApi::stream_register)>));
  EXPECT_TRUE((same<cuFileStreamDeregister, decltype(CufileApi::stream_deregister)>));
  EXPECT_TRUE((same<cuFileReadAsync, decltype(CufileApi::read_async)>));
  EXPECT_TRUE((same<cuFileWriteAsync, decltype(CufileApi::write_async)>));
}

}  // namespace
}  // namespace trireme::cuda::cufile
