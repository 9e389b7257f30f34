#include "cuda/check.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {
namespace {

const CudaEvent& own(const DeviceEvent& event) {
  return dynamic_cast<const CudaEvent&>(event);
}

}  // namespace

CudaEvent::CudaEvent(const CudaApi& api, int device) : api_(api), device_(device) {
  check(api_, api_.event_create_with_flags(&event_, cudaEventDefault), "cudaEventCreateWithFlags");
}

CudaEvent::~CudaEvent() {
  api_.event_destroy(event_);
}

bool CudaEvent::ready() const {
  // Whoever asks may be a thread that has done nothing else on the device.
  api_.set_device(device_);
  const cudaError_t code = api_.event_query(event_);
  if (code == cudaErrorNotReady) {
    api_.get_last_error();  // or the thread's next launch is told that it failed
    return false;
  }
  check(api_, code, "cudaEventQuery");
  return true;
}

double CudaEvent::milliseconds_since(const DeviceEvent& earlier) const {
  float elapsed = 0;
  check(api_, api_.event_elapsed_time(&elapsed, own(earlier).event_, event_), "cudaEventElapsedTime");
  return static_cast<double>(elapsed);
}

CudaStream::CudaStream(const Apis& apis, const CudaDevice& device, Priority priority)
    : apis_(apis), device_(device) {
  int least = 0, greatest = 0;
  check(apis_.cuda, apis_.cuda.stream_priority_range(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(apis_.cuda,
        apis_.cuda.stream_create_with_priority(&stream_, cudaStreamNonBlocking,
                                               priority == Priority::high ? greatest : least),
        "cudaStreamCreateWithPriority");
}

CudaStream::~CudaStream() {
  apis_.cuda.stream_synchronize(stream_);
  if (apis_.tensor_stream && apis_.tensor_stream(device_.index()) == stream_)
    apis_.use_for_tensors(nullptr, device_.index());
  apis_.cuda.stream_destroy(stream_);
}

void CudaStream::use() const {
  device_.use();
}

void CudaStream::copy(void* to, const void* from, std::size_t bytes) {
  use();
  check(apis_.cuda, apis_.cuda.memcpy_async(to, from, bytes, cudaMemcpyDefault, stream_), "cudaMemcpyAsync");
}

void CudaStream::fill(void* to, unsigned char value, std::size_t bytes) {
  use();
  check(apis_.cuda, apis_.cuda.memset_async(to, value, bytes, stream_), "cudaMemsetAsync");
}

void CudaStream::record(DeviceEvent& event) {
  use();
  check(apis_.cuda, apis_.cuda.event_record(own(event).handle(), stream_), "cudaEventRecord");
}

void CudaStream::wait(const DeviceEvent& event) {
  use();
  check(apis_.cuda, apis_.cuda.stream_wait_event(stream_, own(event).handle(), 0), "cudaStreamWaitEvent");
}

void CudaStream::wait(const HostFlag& flag, std::uint32_t value) {
  use();
  check(apis_.cuda, apis_.cuda.stream_wait_value(stream_, flag.address(), value), "cuStreamWaitValue32");
}

void CudaStream::finish() {
  device_.count_stream_wait();
  check(apis_.cuda, apis_.cuda.stream_synchronize(stream_), "cudaStreamSynchronize");
}

void CudaStream::use_for_tensors() {
  use();
  apis_.use_for_tensors(stream_, device_.index());
}

}  // namespace trireme::cuda
