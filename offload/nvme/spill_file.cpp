#include "offload/nvme/spill_file.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/bytes.h"
#include "core/error.h"

namespace trireme::offload {
namespace {

namespace fs = std::filesystem;

constexpr mode_t private_file = 0600;

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

/// Of every spill file that this host makes, whichever process.
std::string prefix() {
  return "trireme-spill." + host_name() + ".";
}

fs::path new_path(const fs::path& folder) {
  std::random_device random;
  return folder / fmt::format("{}{}.{:08x}{:08x}", prefix(), ::getpid(), random(), random());
}

/// False: somebody who took it for a stale one has removed it in the moment before the lock.
bool lock_new(int descriptor) {
  struct stat status {};
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 && ::fstat(descriptor, &status) == 0 &&
         status.st_nlink > 0;
}

Descriptor create(const fs::path& folder, fs::path& path) {
  constexpr int attempts = 16;
  for (int attempt = 0; attempt < attempts; ++attempt) {
    path = new_path(folder);
    Descriptor made(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, private_file));
    if (!made)
      fail(ExitCode::configuration,
           "NVMe tier: no file can be made in {}: {}; name another folder in offload.nvme_paths",
           folder.string(), std::strerror(errno));
    if (lock_new(made.get())) return made;
    ::unlink(path.c_str());
  }
  fail(ExitCode::configuration,
       "NVMe tier: files in {} cannot be locked; name a local folder in offload.nvme_paths", folder.string());
}

/// Whether a file may be one that a process is just making, between its creation and its lock.
bool being_made(const fs::path& path, const struct stat& status) {
  if (status.st_size > 0) return false;
  const std::string name = path.filename().string();
  const auto pid = static_cast<pid_t>(std::strtol(name.c_str() + prefix().size(), nullptr, 10));
  return pid > 0 && (::kill(pid, 0) == 0 || errno == EPERM);
}

}  // namespace

SpillFile::SpillFile(const fs::path& folder, std::uint64_t bytes) : bytes_(bytes), owner_(::getpid()) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ExitCode::configuration,
         "NVMe tier: {} cannot be made: {}; name another folder in offload.nvme_paths", folder.string(),
         error.message());
  plain_ = create(folder, path_);
  try {
    take_space();
    open_direct();
  } catch (...) {
    ::unlink(path_.c_str());
    throw;
  }
}

SpillFile::~SpillFile() {
  // A forked child that ends must not take the file from its parent.
  if (plain_ && ::getpid() == owner_) ::unlink(path_.c_str());
}

void SpillFile::take_space() {
  struct statvfs space {};
  const auto refuse = [&](std::string_view why) {
    fail(
        ExitCode::configuration,
        "NVMe tier: {} on {} cannot be had: {}; free some space or name another folder in offload.nvme_paths",
        human_bytes(static_cast<double>(bytes_)), path_.parent_path().string(), why);
  };
  if (::fstatvfs(plain_.get(), &space) == 0 && space.f_blocks > 0) {
    const std::uint64_t free = std::uint64_t{space.f_bavail} * space.f_frsize;
    if (bytes_ > free) refuse(fmt::format("{} are free", human_bytes(static_cast<double>(free))));
  }
  int status = 0;
  do {
    status = ::fallocate(plain_.get(), 0, 0, static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
  } while (status == EINTR);
  if (status == EOPNOTSUPP || status == ENOSYS)
    status = ::ftruncate(plain_.get(), static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
  if (status != 0) refuse(std::strerror(status));
}

void SpillFile::open_direct() {
  direct_ = Descriptor(::open(path_.c_str(), O_RDWR | O_DIRECT | O_NOFOLLOW | O_CLOEXEC));
  if (!direct_) return;
#ifdef STATX_DIOALIGN
  struct statx facts {};
  if (::statx(direct_.get(), "", AT_EMPTY_PATH, STATX_DIOALIGN, &facts) != 0) return;
  if ((facts.stx_mask & STATX_DIOALIGN) == 0) return;
  if (facts.stx_dio_offset_align == 0) return direct_.reset();
  alignment_ = {facts.stx_dio_mem_align, facts.stx_dio_offset_align};
#endif
}

Swept remove_stale_spills(const fs::path& folder) {
  Swept swept;
  std::error_code error;
  const std::string ours = prefix();
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(ours)) continue;
    const Descriptor file(::open(entry->path().c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (status.st_uid != ::geteuid() || being_made(entry->path(), status)) continue;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::unlink(entry->path().c_str()) != 0) continue;
    ++swept.files;
    swept.bytes += static_cast<std::uint64_t>(status.st_size);
  }
  return swept;
}

}  // namespace trireme::offload
