#include "io/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

namespace trireme::io {
namespace {

std::string reason() {
  return std::strerror(errno);
}

/// A process out of descriptors or memory is not the file's fault and may fare better elsewhere.
[[noreturn]] void cannot_open(const std::filesystem::path& path) {
  if (errno == EMFILE || errno == ENFILE)
    fail(ExitCode::requeue, "{}: cannot be opened: {}; raise the limit (ulimit -n)", path.string(), reason());
  fail(errno == ENOMEM || errno == ENOSPC || errno == EIO ? ExitCode::requeue : ExitCode::configuration,
       "{}: cannot be opened: {}", path.string(), reason());
}

}  // namespace

File File::open_for_reading(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) cannot_open(path);
  File file(descriptor, path);
  struct stat about {};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode))
    fail(ExitCode::configuration, "{}: is not a regular file", path.string());
  return file;
}

File File::open_for_writing(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0)
    fail(ExitCode::requeue, "{}: cannot be opened for writing: {}", path.string(), reason());
  return File(descriptor, path);
}

File File::open_direct(const std::filesystem::path& path, int access) {
  int descriptor = ::open(path.c_str(), access | O_CLOEXEC | O_DIRECT, 0666);
  const bool direct = descriptor >= 0;
  if (!direct && errno == EINVAL) descriptor = ::open(path.c_str(), access | O_CLOEXEC, 0666);
  if (descriptor < 0) cannot_open(path);
  File file(descriptor, path);
  file.direct_ = direct;
  return file;
}

File File::open_for_direct_reading(const std::filesystem::path& path) {
  return open_direct(path, O_RDONLY);
}

File File::create_for_direct_writing(const std::filesystem::path& path) {
  return open_direct(path, O_RDWR | O_CREAT | O_TRUNC);
}

File File::open_for_direct_writing(const std::filesystem::path& path) {
  return open_direct(path, O_RDWR);
}

File File::create(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(ExitCode::configuration, "{}: cannot be created: {}", path.string(), reason());
  return File(descriptor, path);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      direct_(other.direct_),
      path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(direct_, other.direct_);
  std::swap(path_, other.path_);
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::uint64_t File::size() const {
  struct stat about {};
  if (::fstat(descriptor_, &about) != 0) fail(ExitCode::requeue, "{}: {}", path_.string(), reason());
  return static_cast<std::uint64_t>(about.st_size);
}

std::size_t File::read_until_end(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        ::pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(errno == EIO ? ExitCode::damaged : ExitCode::requeue, "{}: reading at byte {} failed: {}",
           path_.string(), offset + done, reason());
    if (got == 0) break;
    const auto count = static_cast<std::size_t>(got);
    // A direct read that ends inside a page is at the end of the file.
    if (direct_ && count % direct_alignment != 0) return done + count;
    done += count;
  }
  return done;
}

void File::read(std::uint64_t offset, std::span<std::byte> out) const {
  const std::size_t got = read_until_end(offset, out);
  if (got < out.size())
    fail(ExitCode::damaged, "{}: ends at byte {}, {} bytes too early", path_.string(), offset + got,
         out.size() - got);
}

bool File::is_cached() const {
  const std::uint64_t bytes = size();
  if (bytes == 0) return true;
  void* mapped = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (mapped == MAP_FAILED) return false;
  constexpr std::uint64_t samples = 64, misses_allowed = 2;
  const std::uint64_t pages = (bytes + direct_alignment - 1) / direct_alignment;
  std::uint64_t misses = 0;
  for (std::uint64_t i = 0; i < samples; ++i) {
    unsigned char resident = 0;
    auto* page = static_cast<std::byte*>(mapped) + pages * i / samples * direct_alignment;
    if (::mincore(page, direct_alignment, &resident) != 0 || (resident & 1) == 0) ++misses;
  }
  ::munmap(mapped, bytes);
  return misses <= misses_allowed;
}

void File::drop_cache() const {
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
}

void File::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    // After a short direct write the next one starts at a whole page again.
    auto count = static_cast<std::size_t>(std::max<ssize_t>(put, 0));
    if (direct_ && count < bytes.size()) count -= count % direct_alignment;
    if (put < 0 || count == 0)
      fail(ExitCode::requeue, "{}: writing at byte {} failed: {}", path_.string(), offset,
           put < 0 ? reason() : "nothing was written");
    bytes = bytes.subspan(count);
    offset += count;
  }
}

void File::reserve(std::uint64_t bytes) {
  int status = EINTR;
  while (status == EINTR) status = ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  if (status == 0 || status == EOPNOTSUPP || status == ENOSYS) return;
  fail(ExitCode::requeue, "{}: {} bytes cannot be reserved: {}", path_.string(), bytes,
       std::strerror(status));
}

void File::resize(std::uint64_t bytes) {
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0)
    fail(ExitCode::requeue, "{}: cannot be sized to {} bytes: {}", path_.string(), bytes, reason());
}

void File::sync() {
  if (::fsync(descriptor_) != 0) fail(ExitCode::requeue, "{}: fsync failed: {}", path_.string(), reason());
}

std::string read_text(const std::filesystem::path& path, std::uint64_t limit) {
  const File file = File::open_for_reading(path);
  const std::uint64_t bytes = file.size();
  if (bytes > limit)
    fail(ExitCode::configuration, "{}: is {} bytes long, more than the {} allowed for such a file",
         path.string(), bytes, limit);
  std::string text(bytes, '\0');
  file.read(0, std::as_writable_bytes(std::span(text)));
  return text;
}

void sync_folder(const std::filesystem::path& folder) {
  const std::filesystem::path target = folder.empty() ? "." : folder;
  const int descriptor = ::open(target.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) fail(ExitCode::requeue, "{}: cannot be opened: {}", target.string(), reason());
  const int status = ::fsync(descriptor);
  const std::string why = reason();
  ::close(descriptor);
  if (status != 0) fail(ExitCode::requeue, "{}: fsync failed: {}", target.string(), why);
}

void write_text_atomically(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::path temporary = path;
  temporary += ".tmp";
  {
    File file = File::create(temporary);
    file.write(0, std::as_bytes(std::span(text)));
    file.sync();
  }
  std::error_code status;
  std::filesystem::rename(temporary, path, status);
  if (status)
    fail(ExitCode::requeue, "{}: cannot be renamed into place: {}", path.string(), status.message());
  sync_folder(path.parent_path());
}

}  // namespace trireme::io
