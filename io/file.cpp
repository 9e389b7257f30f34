#include "io/file.h"

#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.h"

namespace trireme::io {
namespace {

std::string reason() {
  return std::strerror(errno);
}

}  // namespace

File File::open_for_reading(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(ExitCode::configuration, "{}: cannot be opened: {}", path.string(), reason());
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

File File::create(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (descriptor < 0) fail(ExitCode::configuration, "{}: cannot be created: {}", path.string(), reason());
  return File(descriptor, path);
}

File::File(File&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
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

void File::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      fail(ExitCode::requeue, "{}: reading at byte {} failed: {}", path_.string(), offset, reason());
    if (got == 0)
      fail(ExitCode::damaged, "{}: ends at byte {}, {} bytes too early", path_.string(), offset, out.size());
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

void File::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0)
      fail(ExitCode::requeue, "{}: writing at byte {} failed: {}", path_.string(), offset, reason());
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
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
