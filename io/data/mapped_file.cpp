#include "io/data/mapped_file.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>

#include "core/error.h"
#include "io/file.h"

namespace trireme::io {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const File file = File::open_for_reading(path);
  const std::uint64_t size = file.size();
  if (size == 0) return;
  void* const begin = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.descriptor(), 0);
  if (begin == MAP_FAILED)
    fail(ExitCode::configuration, "{} cannot be mapped into memory: {}", path.string(), std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(begin), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace trireme::io
