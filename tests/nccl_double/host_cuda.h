#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "cuda/apis.h"

namespace trireme::tests {

/// A CUDA runtime on host memory, with what matters of the real one's manner: a stream is a thread with a
/// queue, so nothing is done yet when a call returns; memory begins as garbage; every pointer, stream and
/// event must be alive and every range inside one allocation; no memory is taken or given back while a stream
/// waits for the host.
cuda::CudaApi host_cuda_api();

enum class MemoryKind { device, pinned };

void* host_cuda_allocate(std::size_t bytes, MemoryKind kind);
/// False when no such block is alive.
bool host_cuda_free(void* data);
/// Whether [data, data + bytes) lies inside one live block that the device reaches.
bool host_cuda_reaches(const void* data, std::size_t bytes);
/// Of the block that holds this address.
cudaMemoryType host_cuda_kind(const void* data);
/// As cudaGetLastError: what the thread was told last and has not taken yet, were it only that it must wait.
cudaError_t host_cuda_take_last_error();
bool host_cuda_has_stream(cudaStream_t stream);
/// For work that is not NCCL's: a misuse, and false, when the stream is not alive.
bool host_cuda_enter(cudaStream_t stream, const char* function);
void host_cuda_post(cudaStream_t stream, std::function<void()> work);
/// Waits until all that was put into the stream is done.
void host_cuda_finish(cudaStream_t stream);
/// Called before anything but NCCL's own work enters a stream.
void host_cuda_watch_streams(std::function<void(cudaStream_t)> watch);
/// How many GPUs the double shows; a failure of the driver in their place when `error` is not cudaSuccess.
void host_cuda_show(int devices, cudaError_t error, int driver_version);
/// A device that has failed: events say so, and host functions in streams are never called.
void host_cuda_break(bool broken);
/// Blocks, streams and events that were made and not freed.
std::size_t host_cuda_alive();

/// What the code under test did wrong, in words; taking clears the list.
void report_misuse(std::string what);
std::vector<std::string> take_misuses();

}  // namespace trireme::tests
