#include "cuda/plugin/vendor_apis.h"

#include <cuda.h>
#include <cuda_runtime_api.h>

#include "cuda/cufile_driver.h"
#include "cuda/kernels/codec.h"
#include "cuda/kernels/compute.h"
#include "cuda/kernels/known_kernels.h"

namespace trireme::cuda {
namespace {

/// The driver is reached through the runtime, so that the plugin loads where there is no driver and can say
/// so.
cudaError_t stream_wait_value(cudaStream_t stream, const std::uint32_t* word, std::uint32_t value) {
  using Function = CUresult (*)(CUstream, CUdeviceptr, cuuint32_t, unsigned);
  static const Function function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    const cudaError_t code =
        cudaGetDriverEntryPointByVersion("cuStreamWaitValue32", &found, 12000, cudaEnableDefault, &result);
    return code == cudaSuccess && result == cudaDriverEntryPointSuccess ? reinterpret_cast<Function>(found)
                                                                        : nullptr;
  }();
  if (!function) return cudaErrorNotSupported;
  void* device_address = nullptr;
  const cudaError_t mapped = cudaHostGetDevicePointer(&device_address, const_cast<std::uint32_t*>(word), 0);
  if (mapped != cudaSuccess) return mapped;
  const CUresult code =
      function(stream, reinterpret_cast<CUdeviceptr>(device_address), value, CU_STREAM_WAIT_VALUE_GEQ);
  return code == CUDA_SUCCESS               ? cudaSuccess
         : code == CUDA_ERROR_NOT_SUPPORTED ? cudaErrorNotSupported
                                            : cudaErrorUnknown;
}

cudaError_t host_alloc(void** data, std::size_t bytes, unsigned flags) {
  return cudaHostAlloc(data, bytes, flags);
}

}  // namespace

const Apis& vendor_apis() {
  static const Apis apis{
      .cuda = {.driver_get_version = cudaDriverGetVersion,
               .get_device_count = cudaGetDeviceCount,
               .get_device_properties = cudaGetDeviceProperties,
               .device_get_pci_bus_id = cudaDeviceGetPCIBusId,
               .set_device = cudaSetDevice,
               .mem_get_info = cudaMemGetInfo,
               .malloc = cudaMalloc,
               .free = cudaFree,
               .host_alloc = host_alloc,
               .free_host = cudaFreeHost,
               .pointer_get_attributes = cudaPointerGetAttributes,
               .stream_priority_range = cudaDeviceGetStreamPriorityRange,
               .stream_create_with_priority = cudaStreamCreateWithPriority,
               .stream_destroy = cudaStreamDestroy,
               .stream_synchronize = cudaStreamSynchronize,
               .stream_wait_event = cudaStreamWaitEvent,
               .memcpy_async = cudaMemcpyAsync,
               .memset_async = cudaMemsetAsync,
               .event_create_with_flags = cudaEventCreateWithFlags,
               .event_destroy = cudaEventDestroy,
               .event_record = cudaEventRecord,
               .event_query = cudaEventQuery,
               .event_elapsed_time = cudaEventElapsedTime,
               .get_last_error = cudaGetLastError,
               .get_error_string = cudaGetErrorString,
               .stream_wait_value = stream_wait_value,
               .launch_host_func = cudaLaunchHostFunc},
      .nccl = {.get_version = ncclGetVersion,
               .get_unique_id = ncclGetUniqueId,
               .comm_init_rank_config = ncclCommInitRankConfig,
               .comm_split = ncclCommSplit,
               .comm_finalize = ncclCommFinalize,
               .comm_destroy = ncclCommDestroy,
               .comm_abort = ncclCommAbort,
               .comm_get_async_error = ncclCommGetAsyncError,
               .comm_register = ncclCommRegister,
               .comm_deregister = ncclCommDeregister,
               .mem_alloc = ncclMemAlloc,
               .mem_free = ncclMemFree,
               .all_gather = ncclAllGather,
               .reduce_scatter = ncclReduceScatter,
               .all_reduce = ncclAllReduce,
               .broadcast = ncclBroadcast,
               .reduce = ncclReduce,
               .send = ncclSend,
               .recv = ncclRecv,
               .group_start = ncclGroupStart,
               .group_end = ncclGroupEnd,
               .get_error_string = ncclGetErrorString,
               .get_last_error = ncclGetLastError},
      .codec = codec_kernels(),
      .compute = compute_kernels(),
      .use_for_tensors = use_for_tensors,
      .tensor_stream = tensor_stream,
      .release_unused_tensor_memory = release_unused_tensor_memory,
      .load_kernels = load_kernels,
      .watch_tensor_waits = watch_tensor_waits,
      .tensor_waits = tensor_waits,
      .storage = {.load = [] { return load_cufile("libcufile.so.0"); },
                  .module_version = loaded_nvidia_fs_version},
  };
  return apis;
}

}  // namespace trireme::cuda
