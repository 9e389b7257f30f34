#include "cuda/cufile_handles.h"

#include "cuda/check.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {

RegisteredFile::RegisteredFile(const CufileApi& api, int descriptor) : api_(api) {
  cufile::FileDescription description;
  description.descriptor = descriptor;
  status_ = api_.handle_register(&handle_, &description);
}

RegisteredFile::~RegisteredFile() {
  if (status_.code == cufile::success) api_.handle_deregister(handle_);
}

RegisteredMemory::RegisteredMemory(const CufileApi& api, std::span<std::byte> memory)
    : api_(api), memory_(memory), status_(api.buffer_register(memory.data(), memory.size(), 0)) {}

RegisteredMemory::~RegisteredMemory() {
  if (status_.code == cufile::success) api_.buffer_deregister(memory_.data());
}

CufileLane::CufileLane(const CudaApi& cuda, const CufileApi& api, cudaHostFn_t passed, void* about)
    : cuda_(cuda), api_(api), passed_(passed), about_(about) {
  int least = 0, greatest = 0;
  check(cuda_, cuda_.stream_priority_range(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(cuda_, cuda_.event_create_with_flags(&end_, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  const cudaError_t code = cuda_.stream_create_with_priority(&stream_, cudaStreamNonBlocking, least);
  if (code != cudaSuccess) cuda_.event_destroy(end_);
  check(cuda_, code, "cudaStreamCreateWithPriority");
  // Only saves work: requests go without as well.
  known_ = api_.stream_register(stream_, cufile::fixed_and_aligned).code == cufile::success;
}

CufileLane::~CufileLane() {
  cuda_.stream_synchronize(stream_);
  if (known_) api_.stream_deregister(stream_);
  cuda_.event_destroy(end_);
  cuda_.stream_destroy(stream_);
}

cufile::Status CufileLane::start(cufile::File file, std::byte* base, const offload::Request& request) {
  request_ = request;
  bytes_ = request.bytes;
  file_offset_ = static_cast<off_t>(request.offset);
  memory_offset_ = request.data - base;
  moved_ = 0;
  if (request.after) {
    const auto& point = dynamic_cast<const CudaEvent&>(*request.after);
    check(cuda_, cuda_.stream_wait_event(stream_, point.handle(), 0), "cudaStreamWaitEvent");
  }
  const auto move = request.write ? api_.write_async : api_.read_async;
  const cufile::Status status = move(file, base, &bytes_, &file_offset_, &memory_offset_, &moved_, stream_);
  if (status.code != cufile::success) return status;
  check(cuda_, cuda_.launch_host_func(stream_, passed_, about_), "cudaLaunchHostFunc");
  check(cuda_, cuda_.event_record(end_, stream_), "cudaEventRecord");
  return status;
}

bool CufileLane::healthy() const {
  const cudaError_t code = cuda_.event_query(end_);
  if (code == cudaErrorNotReady)
    cuda_.get_last_error();  // or the thread's next launch is told that it failed
  return code == cudaSuccess || code == cudaErrorNotReady;
}

}  // namespace trireme::cuda
