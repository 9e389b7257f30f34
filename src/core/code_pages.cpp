#include "core/code_pages.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/descriptor.h"

namespace trireme {
namespace {

/// What the kernel tells of this process's pages.
class PageMap {
 public:
  std::uintptr_t page() const { return page_; }

  /// Calls `use` with each longest range of pages that are still as they are in their file. Others were
  /// written by the loader, or by communication libraries that watch memory through changed instructions.
  template <typename Use>
  void for_unwritten(std::uintptr_t begin, std::uintptr_t end, const Use& use) const {
    std::array<std::uint64_t, 512> entries;
    std::uintptr_t first = begin;
    for (std::uintptr_t at = begin; at < end;) {
      const std::size_t wanted = std::min<std::size_t>(entries.size(), (end - at) / page_);
      const ssize_t bytes = pread(file_.get(), entries.data(), wanted * sizeof entries[0],
                                  static_cast<off_t>(at / page_ * sizeof entries[0]));
      if (bytes < static_cast<ssize_t>(wanted * sizeof entries[0])) return;
      for (std::size_t i = 0; i < wanted; ++i, at += page_) {
        if (!written(entries[i])) continue;
        if (first < at) use(first, at);
        first = at + page_;
      }
    }
    if (first < end) use(first, end);
  }

 private:
  static bool written(std::uint64_t entry) {
    constexpr std::uint64_t present = 1ull << 63, swapped = 1ull << 62, of_a_file = 1ull << 61;
    return (entry & swapped) || ((entry & present) && !(entry & of_a_file));
  }

  Descriptor file_{open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)};
  std::uintptr_t page_ = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
};

struct LettingGo {
  PageMap map;
  std::size_t bytes = 0;
};

int let_go_of(dl_phdr_info* library, std::size_t, void* data) {
  auto& letting_go = *static_cast<LettingGo*>(data);
  const std::uintptr_t page = letting_go.map.page();
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W)) continue;
    const std::uintptr_t begin = (library->dlpi_addr + part.p_vaddr + page - 1) / page * page,
                         end = (library->dlpi_addr + part.p_vaddr + part.p_filesz) / page * page;
    letting_go.map.for_unwritten(begin, end, [&](std::uintptr_t from, std::uintptr_t to) {
      // NOLINTNEXTLINE(performance-no-int-to-ptr): the loader tells addresses as numbers
      if (madvise(reinterpret_cast<void*>(from), to - from, MADV_DONTNEED) == 0)
        letting_go.bytes += to - from;
    });
  }
  return 0;
}

}  // namespace

std::size_t let_go_of_code_pages() {
  LettingGo letting_go;
  dl_iterate_phdr(let_go_of, &letting_go);
  return letting_go.bytes;
}

}  // namespace trireme
