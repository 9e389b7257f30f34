#include "tests/peaks/counted_memory.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

namespace trireme::peaks {
namespace {

struct alignas(64) Header {
  std::size_t bytes;
  int rank;
};

struct Count {
  std::size_t in_use = 0, most = 0;
};

constexpr int nobody = 0;
/// Of threads that work for no rank, and of each rank after them.
std::array<Count, 17> counts;
std::mutex mutex;
thread_local int my_rank = nobody;

class CountedMemory final : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t bytes) override {
    void* data = bytes == 0 ? nullptr : take(bytes);
    return {data, data, &give_back, c10::Device(c10::DeviceType::CPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* into, const void* from, std::size_t count) const override {
    std::memcpy(into, from, count);
  }

 private:
  static void* take(std::size_t bytes) {
    void* memory = std::aligned_alloc(alignof(Header), (bytes + sizeof(Header) + 63) / 64 * 64);
    if (!memory) throw std::bad_alloc();
    const std::lock_guard lock(mutex);
    Count& count = counts.at(static_cast<std::size_t>(my_rank));
    count.in_use += bytes;
    count.most = std::max(count.most, count.in_use);
    return new (memory) Header{bytes, my_rank} + 1;
  }
  static void give_back(void* data) {
    if (!data) return;
    Header* block = static_cast<Header*>(data) - 1;
    {
      const std::lock_guard lock(mutex);
      counts.at(static_cast<std::size_t>(block->rank)).in_use -= block->bytes;
    }
    std::free(block);
  }
};

Count& count_of(int rank) {
  return counts.at(static_cast<std::size_t>(rank) + 1);
}

}  // namespace

void count_tensor_memory() {
  static auto* const memory = new CountedMemory;  // outlives every static tensor
  c10::SetAllocator(c10::DeviceType::CPU, memory, 1);
}

void work_for(int rank) {
  my_rank = rank + 1;
}

void begin_peak(int rank) {
  const std::lock_guard lock(mutex);
  Count& count = count_of(rank);
  count.most = count.in_use;
}

std::size_t peak_of(int rank) {
  const std::lock_guard lock(mutex);
  return count_of(rank).most;
}

}  // namespace trireme::peaks
