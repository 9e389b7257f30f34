#include "sharding/tensor_memory.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>

#include "core/error.h"

namespace trireme::sharding {
namespace {

/// Before the bytes of each block: how large it is. A cache line, so that the bytes stay aligned.
struct alignas(64) Header {
  std::size_t bytes;
};

constexpr std::size_t huge_page = std::size_t{1} << 21, kept_from = std::size_t{1} << 15;
/// What may lie unused before all of it is given back.
constexpr std::size_t unused_at_most = std::size_t{1} << 30;

/// Eight sizes between powers of two: at most an eighth is wasted.
std::size_t size_class(std::size_t bytes) {
  if (bytes < kept_from) return bytes;
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

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
    static KeptMemory memory;
    return memory;
  }
  TensorMemoryUse use() {
    const std::lock_guard lock(mutex_);
    return use_;
  }
  void forget_peak() {
    const std::lock_guard lock(mutex_);
    use_.peak = use_.in_use;
  }

 private:
  static void give_back_to_all(void* data) { of_process().give_back(data); }

  void* take(std::size_t wanted) {
    const std::size_t bytes = size_class(wanted + sizeof(Header));
    const std::lock_guard lock(mutex_);
    Header* block = nullptr;
    auto& kept = kept_[bytes];
    if (!kept.empty()) {
      block = kept.back();
      kept.pop_back();
    } else {
      block = make(bytes);
    }
    use_.in_use += bytes;
    use_.peak = std::max(use_.peak, use_.in_use);
    return block + 1;
  }

  Header* make(std::size_t bytes) {
    if (use_.reserved - use_.in_use > std::max(unused_at_most, use_.in_use)) free_unused();
    // Smaller ones would waste too much of their last page.
    const bool huge = bytes >= 8 * huge_page;
    const std::size_t alignment = huge ? huge_page : alignof(Header);
    const std::size_t whole = (bytes + alignment - 1) / alignment * alignment;
    void* memory = std::aligned_alloc(alignment, whole);
    if (!memory) {
      free_unused();
      memory = std::aligned_alloc(alignment, whole);
    }
    if (!memory)
      fail(ExitCode::configuration,
           "no host memory for a tensor of {} bytes; use smaller micro-batches or gradient_checkpointing",
           bytes);
    if (huge) madvise(memory, whole, MADV_HUGEPAGE);
    use_.reserved += bytes;
    return new (memory) Header{bytes};
  }

  void give_back(void* data) {
    if (!data) return;
    Header* block = static_cast<Header*>(data) - 1;
    const std::lock_guard lock(mutex_);
    use_.in_use -= block->bytes;
    if (block->bytes >= kept_from) {
      kept_[block->bytes].push_back(block);
    } else {
      use_.reserved -= block->bytes;
      std::free(block);
    }
  }

  void free_unused() {
    for (auto& [bytes, blocks] : kept_) {
      use_.reserved -= bytes * blocks.size();
      for (Header* block : blocks) std::free(block);
      blocks.clear();
    }
  }

  std::mutex mutex_;
  std::map<std::size_t, std::vector<Header*>> kept_;
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
