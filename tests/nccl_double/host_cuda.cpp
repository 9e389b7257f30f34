#include "tests/nccl_double/host_cuda.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>
#include <utility>

#include "tests/nccl_double/host_cuda_state.h"

namespace trireme::tests {
namespace {

/// What CUDA keeps for each thread.
thread_local bool has_set_device = false;
thread_local cudaError_t last_error = cudaSuccess;

double now_ms() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Where a thread has set no device, CUDA makes a context on the first.
void expect_set_device(const char* function) {
  if (!has_set_device) report_misuse(std::string(function) + " in a thread that has set no device");
}

cudaError_t misuse(const char* what) {
  report_misuse(what);
  return cudaErrorInvalidValue;
}

/// Null when the stream is not alive.
HostStream* enter(cudaStream_t stream, const char* function) {
  if (!host_cuda_has_stream(stream)) {
    report_misuse(std::string(function) + " on a stream that is not alive");
    return nullptr;
  }
  if (const auto& watch = host_cuda_state().watch) watch(stream);
  return reinterpret_cast<HostStream*>(stream);
}

HostEvent* alive(cudaEvent_t event, const char* function) {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  const auto found = state.events.find(reinterpret_cast<HostEvent*>(event));
  if (found != state.events.end()) return *found;
  state.misuses.push_back(std::string(function) + " on an event that is not alive");
  return nullptr;
}

/// The device may touch its own memory in the range that it was given and host memory that nobody told it
/// about.
bool inside(const void* data, std::size_t bytes) {
  return !host_cuda_reaches(data, 1) || host_cuda_reaches(data, bytes);
}

cudaError_t get_device_count(int* count) {
  *count = host_cuda_state().devices;
  return host_cuda_state().devices_error;
}

cudaError_t get_device_properties(cudaDeviceProp* properties, int) {
  std::snprintf(properties->name, sizeof properties->name, "Host memory");
  properties->totalGlobalMem = std::size_t{1} << 34;
  properties->major = 9;
  properties->minor = 0;
  return cudaSuccess;
}

cudaError_t get_pci_bus_id(char* id, int length, int device) {
  std::snprintf(id, static_cast<std::size_t>(length), "0000:%02X:00.0", 0xA0 + device);
  return cudaSuccess;
}

cudaError_t set_device(int device) {
  has_set_device = true;
  return device >= 0 && device < host_cuda_state().devices
             ? cudaSuccess
             : misuse("cudaSetDevice of a device that is not there");
}

cudaError_t mem_get_info(std::size_t* free_bytes, std::size_t* total) {
  *total = std::size_t{1} << 34;
  *free_bytes = *total / 2;
  return cudaSuccess;
}

/// Taking and giving back memory may wait for all that the device has been given, so it never ends where that
/// waits for the host in turn.
void expect_no_wait_for_host(const char* function) {
  if (host_cuda_state().waits_for_host > 0)
    report_misuse(std::string(function) + " while a stream waits for the host");
}

cudaError_t allocate(void** data, std::size_t bytes) {
  expect_no_wait_for_host("cudaMalloc");
  *data = host_cuda_allocate(bytes, MemoryKind::device);
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t allocate_pinned(void** data, std::size_t bytes, unsigned) {
  expect_no_wait_for_host("cudaHostAlloc");
  *data = host_cuda_allocate(bytes, MemoryKind::pinned);
  return *data ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t release(void* data) {
  expect_no_wait_for_host("cudaFree");
  return host_cuda_free(data) ? cudaSuccess : misuse("memory freed that is not alive");
}

cudaError_t pointer_get_attributes(cudaPointerAttributes* attributes, const void* data) {
  expect_set_device("cudaPointerGetAttributes");
  attributes->type = host_cuda_kind(data);
  return cudaSuccess;
}

cudaError_t priority_range(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}

cudaError_t stream_create(cudaStream_t* stream, unsigned, int) {
  auto* made = new HostStream;
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  state.streams.insert(made);
  *stream = reinterpret_cast<cudaStream_t>(made);
  return cudaSuccess;
}

cudaError_t stream_destroy(cudaStream_t stream) {
  auto* made = reinterpret_cast<HostStream*>(stream);
  HostCudaState& state = host_cuda_state();
  {
    std::lock_guard lock(state.mutex);
    if (state.streams.erase(made) == 0) {
      state.misuses.emplace_back("a stream destroyed that is not alive");
      return cudaErrorInvalidValue;
    }
  }
  delete made;
  return cudaSuccess;
}

cudaError_t stream_synchronize(cudaStream_t stream) {
  HostStream* lane = enter(stream, "cudaStreamSynchronize");
  if (!lane) return cudaErrorInvalidValue;
  lane->finish();
  return cudaSuccess;
}

cudaError_t stream_wait_event(cudaStream_t stream, cudaEvent_t event, unsigned) {
  HostStream* lane = enter(stream, "cudaStreamWaitEvent");
  HostEvent* point = alive(event, "cudaStreamWaitEvent");
  if (!lane || !point) return cudaErrorInvalidValue;
  lane->post([progress = point->progress, wanted = point->progress->put] {
    std::unique_lock lock(progress->mutex);
    progress->changed.wait(lock, [&] { return progress->passed >= wanted; });
  });
  return cudaSuccess;
}

cudaError_t memcpy_async(void* to, const void* from, std::size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  HostStream* lane = enter(stream, "cudaMemcpyAsync");
  if (!lane) return cudaErrorInvalidValue;
  if (!inside(to, bytes) || !inside(from, bytes)) return misuse("cudaMemcpyAsync past the end of a block");
  lane->post([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}

cudaError_t memset_async(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  HostStream* lane = enter(stream, "cudaMemsetAsync");
  if (!lane) return cudaErrorInvalidValue;
  if (!host_cuda_reaches(to, bytes)) return misuse("cudaMemsetAsync outside of a block");
  lane->post([=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t event_create(cudaEvent_t* event, unsigned) {
  auto* made = new HostEvent;
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  state.events.insert(made);
  *event = reinterpret_cast<cudaEvent_t>(made);
  return cudaSuccess;
}

cudaError_t event_destroy(cudaEvent_t event) {
  HostEvent* made = alive(event, "cudaEventDestroy");
  if (!made) return cudaErrorInvalidValue;
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  state.events.erase(made);
  delete made;
  return cudaSuccess;
}

cudaError_t event_record(cudaEvent_t event, cudaStream_t stream) {
  HostStream* lane = enter(stream, "cudaEventRecord");
  HostEvent* point = alive(event, "cudaEventRecord");
  if (!lane || !point) return cudaErrorInvalidValue;
  unsigned long mine = 0;
  {
    std::lock_guard lock(point->progress->mutex);
    mine = ++point->progress->put;
  }
  lane->post([progress = point->progress, mine] {
    std::lock_guard lock(progress->mutex);
    progress->passed = mine;
    progress->passed_at_ms = now_ms();
    progress->changed.notify_all();
  });
  return cudaSuccess;
}

cudaError_t event_query(cudaEvent_t event) {
  expect_set_device("cudaEventQuery");
  HostEvent* point = alive(event, "cudaEventQuery");
  if (!point) return cudaErrorInvalidValue;
  if (host_cuda_state().broken) return cudaErrorIllegalAddress;
  std::lock_guard lock(point->progress->mutex);
  if (point->progress->passed >= point->progress->put) return cudaSuccess;
  return last_error = cudaErrorNotReady;
}

cudaError_t event_elapsed_time(float* elapsed, cudaEvent_t first, cudaEvent_t second) {
  HostEvent* from = alive(first, "cudaEventElapsedTime");
  HostEvent* to = alive(second, "cudaEventElapsedTime");
  if (!from || !to) return cudaErrorInvalidValue;
  *elapsed = static_cast<float>(to->progress->passed_at_ms - from->progress->passed_at_ms);
  return cudaSuccess;
}

const char* error_string(cudaError_t code) {
  switch (code) {
    case cudaSuccess:
      return "no error";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidValue:
      return "invalid argument";
    default:
      return "some other error";
  }
}

cudaError_t stream_wait_value(cudaStream_t stream, const std::uint32_t* word, std::uint32_t value) {
  HostStream* lane = enter(stream, "cuStreamWaitValue32");
  if (!lane) return cudaErrorInvalidValue;
  if (!host_cuda_reaches(word, sizeof *word))
    return misuse("cuStreamWaitValue32 on memory that is not pinned");
  ++host_cuda_state().waits_for_host;
  lane->post([word, value] {
    auto* flag = const_cast<std::uint32_t*>(word);
    while (std::atomic_ref(*flag).load(std::memory_order_acquire) < value) std::this_thread::yield();
    --host_cuda_state().waits_for_host;
  });
  return cudaSuccess;
}

cudaError_t launch_host_func(cudaStream_t stream, cudaHostFn_t function, void* data) {
  HostStream* lane = enter(stream, "cudaLaunchHostFunc");
  if (!lane) return cudaErrorInvalidValue;
  lane->post([=] {
    if (!host_cuda_state().broken) function(data);
  });
  return cudaSuccess;
}

}  // namespace

bool host_cuda_enter(cudaStream_t stream, const char* function) {
  return enter(stream, function) != nullptr;
}

cudaError_t host_cuda_take_last_error() {
  return std::exchange(last_error, cudaSuccess);
}

cuda::CudaApi host_cuda_api() {
  return {.driver_get_version =
              [](int* version) {
                *version = host_cuda_state().driver_version;
                return cudaSuccess;
              },
          .get_device_count = get_device_count,
          .get_device_properties = get_device_properties,
          .device_get_pci_bus_id = get_pci_bus_id,
          .set_device = set_device,
          .mem_get_info = mem_get_info,
          .malloc = allocate,
          .free = release,
          .host_alloc = allocate_pinned,
          .free_host = release,
          .pointer_get_attributes = pointer_get_attributes,
          .stream_priority_range = priority_range,
          .stream_create_with_priority = stream_create,
          .stream_destroy = stream_destroy,
          .stream_synchronize = stream_synchronize,
          .stream_wait_event = stream_wait_event,
          .memcpy_async = memcpy_async,
          .memset_async = memset_async,
          .event_create_with_flags = event_create,
          .event_destroy = event_destroy,
          .event_record = event_record,
          .event_query = event_query,
          .event_elapsed_time = event_elapsed_time,
          .get_last_error = host_cuda_take_last_error,
          .get_error_string = error_string,
          .stream_wait_value = stream_wait_value,
          .launch_host_func = launch_host_func};
}

}  // namespace trireme::tests
