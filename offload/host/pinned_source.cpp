#include "offload/host/pinned_source.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "core/bytes.h"
#include "core/error.h"
#include "offload/host/numa.h"

namespace trireme::offload {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t page = 4096;

std::size_t round_up(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

void* map(std::size_t bytes, int flags) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  return data == MAP_FAILED ? nullptr : data;
}

/// Starts at a huge page where it is large enough to hold one.
Buffer map_pages(std::size_t bytes, bool huge_pages) {
  const bool huge = huge_pages && bytes >= huge_page;
  const std::size_t size = round_up(bytes, huge ? huge_page : page);
  if (huge)
    if (void* data = map(size, MAP_HUGETLB))
      return Buffer(data, size, [data, size] { ::munmap(data, size); });
  const std::size_t room = huge ? size + huge_page : size;
  void* whole = map(room, MAP_NORESERVE);
  if (!whole) return {};
  const auto at = reinterpret_cast<std::uintptr_t>(whole);
  void* data = static_cast<std::byte*>(whole) + (round_up(at, huge ? huge_page : page) - at);
  if (huge) ::madvise(data, size, MADV_HUGEPAGE);
  return Buffer(data, size, [whole, room] { ::munmap(whole, room); });
}

}  // namespace

LockedPages::LockedPages(HostMemoryOptions options, HostLimits (*limits)())
    : options_(std::move(options)), limits_(limits) {}

Buffer LockedPages::reserve(std::size_t bytes) {
  using Locking = HostMemoryOptions::Locking;
  const HostLimits limits = limits_();
  require_room(limits, bytes, options_.purpose, options_.locking == Locking::required);
  Buffer pages = map_pages(bytes, options_.huge_pages);
  if (!pages.data())
    fail(ExitCode::configuration, "{}: the kernel gives no {} of host memory: {}; see overcommit_memory",
         options_.purpose, human_bytes(static_cast<double>(bytes)), std::strerror(errno));
  if (options_.numa_node >= 0) prefer_node(pages.data(), pages.bytes(), options_.numa_node);
  reserved_bytes_ += pages.bytes();
  if (options_.locking == Locking::none) return pages;
  if (::mlock(pages.data(), pages.bytes()) == 0) {
    locked_bytes_ += pages.bytes();
  } else if (options_.locking == Locking::required) {
    fail(ExitCode::configuration, "{}: {} of host memory cannot be locked: {}; raise ulimit -l",
         options_.purpose, human_bytes(static_cast<double>(bytes)), std::strerror(errno));
  }
  return pages;
}

}  // namespace trireme::offload
