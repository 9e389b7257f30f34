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

}  // namespace trireme::io
