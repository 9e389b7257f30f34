#pragma once
#include <cstdint>
#include <string>

#include <cuda_runtime_api.h>
#include <nccl.h>

#include "comm/codec/format.h"
#include "core/kernel_args.h"
#include "cuda/cufile_api.h"
#include "offload/optimizer/adamw8.h"
#include "offload/optimizer/dynamic_codes.h"
#include "offload/optimizer/sgd.h"

namespace trireme::cuda {

/// The functions of the CUDA runtime that the plugin calls. A table, so that tests run the same sources over
/// a double on host memory.
struct CudaApi {
  cudaError_t (*driver_get_version)(int*);
  cudaError_t (*get_device_count)(int*);
  cudaError_t (*get_device_properties)(cudaDeviceProp*, int);
  cudaError_t (*device_get_pci_bus_id)(char*, int, int);
  cudaError_t (*set_device)(int);
  cudaError_t (*mem_get_info)(std::size_t*, std::size_t*);
  cudaError_t (*malloc)(void**, std::size_t);
  cudaError_t (*free)(void*);
  cudaError_t (*host_alloc)(void**, std::size_t, unsigned);
  cudaError_t (*free_host)(void*);
  cudaError_t (*pointer_get_attributes)(cudaPointerAttributes*, const void*);
  cudaError_t (*stream_priority_range)(int* least, int* greatest);
  cudaError_t (*stream_create_with_priority)(cudaStream_t*, unsigned, int);
  cudaError_t (*stream_destroy)(cudaStream_t);
  cudaError_t (*stream_synchronize)(cudaStream_t);
  cudaError_t (*stream_wait_event)(cudaStream_t, cudaEvent_t, unsigned);
  cudaError_t (*memcpy_async)(void*, const void*, std::size_t, cudaMemcpyKind, cudaStream_t);
  cudaError_t (*memset_async)(void*, int, std::size_t, cudaStream_t);
  cudaError_t (*event_create_with_flags)(cudaEvent_t*, unsigned);
  cudaError_t (*event_destroy)(cudaEvent_t);
  cudaError_t (*event_record)(cudaEvent_t, cudaStream_t);
  cudaError_t (*event_query)(cudaEvent_t);
  cudaError_t (*event_elapsed_time)(float*, cudaEvent_t, cudaEvent_t);
  cudaError_t (*get_last_error)();
  const char* (*get_error_string)(cudaError_t);
  /// The stream goes on once the word, in pinned host memory, is at least `value`. A driver function, behind
  /// the runtime's error type.
  cudaError_t (*stream_wait_value)(cudaStream_t, const std::uint32_t* word, std::uint32_t value);
  cudaError_t (*launch_host_func)(cudaStream_t, cudaHostFn_t, void*);
};

/// The functions of NCCL that the plugin calls.
struct NcclApi {
  ncclResult_t (*get_version)(int*);
  ncclResult_t (*get_unique_id)(ncclUniqueId*);
  ncclResult_t (*comm_init_rank_config)(ncclComm_t*, int, ncclUniqueId, int, ncclConfig_t*);
  ncclResult_t (*comm_split)(ncclComm_t, int, int, ncclComm_t*, ncclConfig_t*);
  ncclResult_t (*comm_finalize)(ncclComm_t);
  ncclResult_t (*comm_destroy)(ncclComm_t);
  ncclResult_t (*comm_abort)(ncclComm_t);
  ncclResult_t (*comm_get_async_error)(ncclComm_t, ncclResult_t*);
  ncclResult_t (*comm_register)(ncclComm_t, void*, std::size_t, void**);
  ncclResult_t (*comm_deregister)(ncclComm_t, void*);
  ncclResult_t (*mem_alloc)(void**, std::size_t);
  ncclResult_t (*mem_free)(void*);
  ncclResult_t (*all_gather)(const void*, void*, std::size_t, ncclDataType_t, ncclComm_t, cudaStream_t);
  ncclResult_t (*reduce_scatter)(const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t,
                                 cudaStream_t);
  ncclResult_t (*all_reduce)(const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, ncclComm_t,
                             cudaStream_t);
  ncclResult_t (*broadcast)(const void*, void*, std::size_t, ncclDataType_t, int root, ncclComm_t,
                            cudaStream_t);
  ncclResult_t (*reduce)(const void*, void*, std::size_t, ncclDataType_t, ncclRedOp_t, int root, ncclComm_t,
                         cudaStream_t);
  ncclResult_t (*send)(const void*, std::size_t, ncclDataType_t, int peer, ncclComm_t, cudaStream_t);
  ncclResult_t (*recv)(void*, std::size_t, ncclDataType_t, int peer, ncclComm_t, cudaStream_t);
  ncclResult_t (*group_start)();
  ncclResult_t (*group_end)();
  const char* (*get_error_string)(ncclResult_t);
  const char* (*get_last_error)(ncclComm_t);
};

enum class NumberType : std::uint8_t { f32, bf16, f16 };

/// A block's sums lie in shared memory between summing and encoding.
constexpr std::uint32_t longest_recoded_block = 8192;

/// Our own kernels of the wire codecs. The operands of a sum lie `stride` bytes apart, a multiple of four;
/// `count` is never zero.
struct CodecApi {
  using BlockFormat = comm::codec::BlockFormat;
  cudaError_t (*encode)(const BlockFormat&, const void* in, NumberType, std::size_t count, void* out,
                        cudaStream_t);
  cudaError_t (*decode_sum)(const BlockFormat&, const void* parts, std::size_t stride, int part_count,
                            std::size_t count, float divisor, void* out, NumberType, cudaStream_t);
  cudaError_t (*recode_sum)(const BlockFormat&, const void* parts, std::size_t stride, int part_count,
                            std::size_t count, const BlockFormat& out_format, void* out, cudaStream_t);
};

/// Our own kernels of training (core/device_kernels.h). Counts are never zero.
struct ComputeApi {
  using Code = cudaError_t;
  Code (*norm)(const kernels::NormForward&, std::int64_t rows, NumberType, cudaStream_t);
  Code (*norm_backward)(const kernels::NormBackward&, std::int64_t rows, std::int64_t rows_a_chunk,
                        NumberType, cudaStream_t);
  Code (*rotate)(const kernels::Rotation&, std::int64_t rows, NumberType, cudaStream_t);
  Code (*swiglu)(const kernels::SwiGlu&, std::int64_t count, NumberType, cudaStream_t);
  Code (*swiglu_backward)(const kernels::SwiGluBackward&, std::int64_t count, NumberType, cudaStream_t);
  Code (*add_chunk_rows)(const kernels::ChunkRows&, const kernels::ChunkSums&, std::int64_t count, NumberType,
                         cudaStream_t);
  Code (*chunk_rows_backward)(const kernels::ChunkRows&, const kernels::ChunkGradients&, std::int64_t count,
                              NumberType, cudaStream_t);
  Code (*softmax_loss)(const kernels::SoftmaxLoss&, std::int64_t rows, NumberType, cudaStream_t);
  Code (*dequantise_nf4)(const kernels::Nf4Weight&, void* into, NumberType, cudaStream_t);
  Code (*dropout_mask)(const kernels::DropoutMask&, NumberType, cudaStream_t);
  Code (*add)(float* into, const float* from, std::int64_t count, cudaStream_t);
  Code (*convert)(const void* from, NumberType, void* into, NumberType, std::int64_t count, cudaStream_t);
  Code (*add_squares)(const float* values, std::int64_t count, double* sums, cudaStream_t);
  Code (*make_splittable)(float* values, std::int64_t count, cudaStream_t);
  Code (*adamw)(const offload::AdamWFactors&, const offload::AdamWRun&, cudaStream_t);
  /// The tables lie where the device reaches them.
  Code (*adamw8)(const offload::AdamWFactors&, const offload::AdamW8Run&, const offload::CodeTables&,
                 cudaStream_t);
  Code (*sgd)(const offload::SgdRun&, cudaStream_t);
};

/// Ways to the drives that go past the host's memory.
struct StorageApi {
  /// Opens cuFile's library, which the plugin starts without. Throws an Error where it is not there.
  CufileApi (*load)() = nullptr;
  /// Of the kernel module nvidia-fs; empty where it is not loaded.
  std::string (*module_version)() = nullptr;
};

struct Apis {
  CudaApi cuda;
  NcclApi nccl;
  CodecApi codec;
  ComputeApi compute;
  /// Makes the stream the calling thread's current one for LibTorch; null: LibTorch's own.
  void (*use_for_tensors)(cudaStream_t, int device);
  /// The calling thread's current one for LibTorch.
  cudaStream_t (*tensor_stream)(int device);
  /// LibTorch gives back what it keeps for tensors to come.
  void (*release_unused_tensor_memory)() = nullptr;
  /// Loads the kernels of the two tables onto the current device, and counts them.
  cudaError_t (*load_kernels)(int* loaded) = nullptr;
  /// LibTorch's own waits, which are counted while they are watched, of threads that have chosen their stream
  /// since.
  void (*watch_tensor_waits)(bool on) = nullptr;
  /// With its calls for the memory of tensors, which are always counted.
  std::uint64_t (*tensor_waits)(int device) = nullptr;
  StorageApi storage = {};
  /// What stands for devices is the host's memory.
  bool is_host = false;
};

}  // namespace trireme::cuda
