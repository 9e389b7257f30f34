#include "io/aligned_memory.h"

#include <algorithm>

#include <sys/mman.h>

#include "core/error.h"

namespace trireme::io {

Buffer aligned_memory(std::size_t bytes) {
  const std::size_t mapped = std::max<std::size_t>(bytes, 1);
  void* data = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail(ExitCode::requeue, "no host memory for {} bytes", bytes);
  ::madvise(data, mapped, MADV_HUGEPAGE);
  return Buffer(data, bytes, [data, mapped] { ::munmap(data, mapped); });
}

void make_resident(const Buffer& memory, const std::atomic<bool>& stop) {
  // The process's memory map is locked meanwhile, so others wait for no more than this at a time.
  constexpr std::size_t piece = std::size_t{2} << 20;
  for (std::size_t at = 0; at < memory.bytes() && !stop; at += piece)
    if (::madvise(memory.as<std::byte>() + at, std::min(piece, memory.bytes() - at), MADV_POPULATE_WRITE) !=
        0)
      return;
}

}  // namespace trireme::io
