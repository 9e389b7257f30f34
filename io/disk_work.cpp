#include "io/disk_work.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>

#include "io/aligned_memory.h"
#include "io/file.h"

namespace trireme::io {

namespace fs = std::filesystem;

bool swap_names(const fs::path& one, const fs::path& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return false;
  fail(ExitCode::requeue, "putting {} in the place of {} failed: {}", one.string(), other.string(),
       std::strerror(errno));
}

void write_and_reread(const fs::path& path, std::span<const std::byte> bytes) {
  {
    File file = File::create(path);
    file.write(0, bytes);
    file.sync();
    file.drop_cache();
  }
  const File file = File::open_for_direct_reading(path);
  const Buffer memory =
      aligned_memory((bytes.size() + direct_alignment) / direct_alignment * direct_alignment);
  const std::span found(memory.as<std::byte>(), memory.bytes());
  const std::size_t got = file.read_until_end(0, found);
  if (got != bytes.size() || !std::equal(bytes.begin(), bytes.end(), found.begin()))
    fail(ExitCode::damaged, "{}: reads back differently from what was written", path.string());
}

void remove_whole(const fs::path& folder) {
  fs::path gone = folder;
  gone += ".tmp";
  on_disk("clearing " + gone.string(), [&](std::error_code& status) { fs::remove_all(gone, status); });
  on_disk("renaming " + folder.string(), [&](std::error_code& status) { fs::rename(folder, gone, status); });
  on_disk("removing " + gone.string(), [&](std::error_code& status) { fs::remove_all(gone, status); });
}

}  // namespace trireme::io
