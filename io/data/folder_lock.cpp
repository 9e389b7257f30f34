#include "io/data/folder_lock.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.h"

namespace trireme::io {

FolderLock::FolderLock(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "lock";
  descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0)
    fail(ExitCode::configuration, "{} cannot be written: {}", path.string(), std::strerror(errno));
  int result = 0;
  do {
    result = flock(descriptor_, LOCK_EX);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return;
  const int reason = errno;
  close(descriptor_);
  fail(ExitCode::configuration, "{} cannot be locked: {}; prepare on a file system that has locks",
       path.string(), std::strerror(reason));
}

FolderLock::~FolderLock() {
  close(descriptor_);
}

}  // namespace trireme::io
