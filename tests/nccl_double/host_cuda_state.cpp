#include "tests/nccl_double/host_cuda_state.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace trireme::tests {

HostCudaState& host_cuda_state() {
  static HostCudaState state;
  return state;
}

HostStream::HostStream() : thread_([this] { serve(); }) {}

HostStream::~HostStream() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HostStream::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
  }
  changed_.notify_all();
}

void HostStream::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return queue_.empty() && !busy_; });
}

void HostStream::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (queue_.empty()) return;
    const auto work = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    // A device is late on purpose: whoever forgets to wait reads garbage.
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    work();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void* host_cuda_allocate(std::size_t bytes, MemoryKind kind) {
  constexpr std::size_t page = 4096, least = 256;
  const std::size_t alignment = bytes >= page ? page : least;
  if (bytes > (std::size_t{1} << 40)) return nullptr;
  void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (!data) return nullptr;
  std::memset(data, 0xcd, bytes);
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  state.blocks[static_cast<const std::byte*>(data)] = {bytes, kind};
  return data;
}

bool host_cuda_free(void* data) {
  HostCudaState& state = host_cuda_state();
  {
    std::lock_guard lock(state.mutex);
    if (state.blocks.erase(static_cast<const std::byte*>(data)) == 0) return false;
  }
  std::free(data);
  return true;
}

bool host_cuda_reaches(const void* data, std::size_t bytes) {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  const auto* first = static_cast<const std::byte*>(data);
  auto after = state.blocks.upper_bound(first);
  if (after == state.blocks.begin()) return false;
  const auto& [start, block] = *std::prev(after);
  return first < start + block.bytes && first + bytes <= start + block.bytes;
}

cudaMemoryType host_cuda_kind(const void* data) {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  const auto* address = static_cast<const std::byte*>(data);
  auto after = state.blocks.upper_bound(address);
  if (after == state.blocks.begin()) return cudaMemoryTypeUnregistered;
  const auto& [start, block] = *std::prev(after);
  if (address >= start + block.bytes) return cudaMemoryTypeUnregistered;
  return block.kind == MemoryKind::pinned ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
}

bool host_cuda_has_stream(cudaStream_t stream) {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  return state.streams.contains(reinterpret_cast<HostStream*>(stream));
}

void host_cuda_post(cudaStream_t stream, std::function<void()> work) {
  reinterpret_cast<HostStream*>(stream)->post(std::move(work));
}

void host_cuda_finish(cudaStream_t stream) {
  reinterpret_cast<HostStream*>(stream)->finish();
}

void host_cuda_watch_streams(std::function<void(cudaStream_t)> watch) {
  host_cuda_state().watch = std::move(watch);
}

void host_cuda_show(int devices, cudaError_t error, int driver_version) {
  HostCudaState& state = host_cuda_state();
  state.devices = devices;
  state.devices_error = error;
  state.driver_version = driver_version;
}

void host_cuda_break(bool broken) {
  host_cuda_state().broken = broken;
}

std::size_t host_cuda_alive() {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  return state.blocks.size() + state.streams.size() + state.events.size();
}

void report_misuse(std::string what) {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  state.misuses.push_back(std::move(what));
}

std::vector<std::string> take_misuses() {
  HostCudaState& state = host_cuda_state();
  std::lock_guard lock(state.mutex);
  return std::exchange(state.misuses, {});
}

}  // namespace trireme::tests
