#include "sharding/tensor_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>

#include "core/error.h"
#include "sharding/step_memory.h"

namespace trireme::sharding {
namespace {

/// Before the bytes of each block: how large it is. A cache line, so that the bytes stay aligned.
struct alignas(64) Header {
  std::size_t bytes;
};

/// Smaller ones are the C library's.
constexpr std::size_t kept_from = std::size_t{1} << 15;
/// What may lie unused before its pages are given back.
constexpr std::size_t unused_at_most = std::size_t{1} << 30;

class KeptMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &KeptMemory::give_back_to_all, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &KeptMemory::give_back_to_all; }
  void copy_data(void* into, const void* from, std::size_t count) const override {
    std::memcpy(into, from, count);
  }

  static KeptMemory& of_process() {
    static auto* const memory = new KeptMemory;  // outlives every static tensor
    return *memory;
  }
  TensorMemoryUse use() {
    const std::lock_guard lock(mutex_);
    return {use_.in_use, use_.peak, memory_.touched() + small_};
  }
  void forget_peak() {
    const std::lock_guard lock(mutex_);
    use_.peak = use_.in_use;
  }

 private:
  static void give_back_to_all(void* data) { of_process().give_back(data); }

  void* take(std::size_t wanted) {
    const std::size_t bytes = wanted + sizeof(Header);
    const std::lock_guard lock(mutex_);
    void* memory =
        bytes < kept_from ? std::aligned_alloc(alignof(Header), (bytes + 63) / 64 * 64) : kept(bytes);
    if (!memory)
      fail(ExitCode::configuration,
           "no host memory for a tensor of {} bytes; use smaller micro-batches or gradient_checkpointing",
           wanted);
    if (bytes < kept_from) small_ += bytes;
    use_.in_use += bytes;
    use_.peak = std::max(use_.peak, use_.in_use);
    return new (memory) Header{bytes} + 1;
  }

  void* kept(std::size_t bytes) {
    const std::size_t in_use = use_.in_use - small_;
    if (memory_.would_grow(bytes) && memory_.touched() - in_use > std::max(unused_at_most, in_use))
      memory_.drop_free_pages();
    return memory_.take(bytes);
  }

  void give_back(void* data) {
    if (!data) return;
    Header* block = static_cast<Header*>(data) - 1;
    const std::size_t bytes = block->bytes;
    const std::lock_guard lock(mutex_);
    use_.in_use -= bytes;
    if (bytes >= kept_from) return memory_.give_back(block, bytes);
    small_ -= bytes;
    std::free(block);
  }

  std::mutex mutex_;
  StepMemory memory_;
  /// Of what is in use, the C library's.
  std::size_t small_ = 0;
  TensorMemoryUse use_;
};

}  // namespace

void keep_tensor_memory() {
  // What libraries take for themselves in each call stays with the process too.
  mallopt(M_MMAP_THRESHOLD, 1 << 25);
  mallopt(M_TRIM_THRESHOLD, 1 << 28);
  c10::SetAllocator(c10::DeviceType::CPU, &KeptMemory::of_process(), 1);
}

TensorMemoryUse tensor_memory() {
  return KeptMemory::of_process().use();
}

void forget_peak() {
  KeptMemory::of_process().forget_peak();
}

}  // namespace trireme::sharding
