#include "core/code_pages.h"

#include <cstdint>

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

namespace trireme {
namespace {

/// What the loader wrote into code would be lost.
bool has_written_code(const dl_phdr_info& library) {
  for (int i = 0; i < library.dlpi_phnum; ++i) {
    if (library.dlpi_phdr[i].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const ElfW(Dyn)*>(library.dlpi_addr + library.dlpi_phdr[i].p_vaddr);
    for (; entry->d_tag != DT_NULL; ++entry)
      if (entry->d_tag == DT_TEXTREL || (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
        return true;
  }
  return false;
}

int let_go_of(dl_phdr_info* library, std::size_t, void* sum) {
  if (has_written_code(*library)) return 0;
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  for (int i = 0; i < library->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = library->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W)) continue;
    const std::uintptr_t begin = (library->dlpi_addr + part.p_vaddr + page - 1) / page * page,
                         end = (library->dlpi_addr + part.p_vaddr + part.p_filesz) / page * page;
    if (begin < end && madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED) == 0)
      *static_cast<std::size_t*>(sum) += end - begin;
  }
  return 0;
}

}  // namespace

std::size_t let_go_of_code_pages() {
  std::size_t bytes = 0;
  dl_iterate_phdr(let_go_of, &bytes);
  return bytes;
}

}  // namespace trireme
