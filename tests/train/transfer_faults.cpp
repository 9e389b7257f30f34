// Preloaded into a program, this library makes transfers of spill files go wrong, or the room in /dev/shm
// look larger than it is. TRIREME_FAULT: "kill-before-read 17", "kill-in-write 4", "kill-after-write 0",
// "no-space 3" (this write and all later ones), "io-error 2" (this transfer), "short 1" (this and every
// second transfer moves half), "vanish 40" (at this read the file's pages go and later transfers of it fail):
// the number counts transfers of that kind from 0. "roomy": statvfs tells of a terabyte.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <dlfcn.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

struct Plan {
  std::string fault;
  long at = -1;
  std::atomic<long> reads{0}, writes{0};
  std::atomic<int> vanished{-1};

  Plan() {
    const char* text = std::getenv("TRIREME_FAULT");
    if (!text) return;
    fault = text;
    const std::size_t space = fault.find(' ');
    if (space == std::string::npos) return;
    at = std::strtol(text + space, nullptr, 10);
    fault.resize(space);
  }
};

Plan& plan() {
  static Plan made;
  return made;
}

template <typename Call>
Call real(const char* name) {
  return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name));
}

bool spilled(int descriptor) {
  if (plan().at < 0) return false;
  char path[4096] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  return readlink(link.c_str(), path, sizeof(path) - 1) > 0 && std::strstr(path, "trireme-spill.");
}

template <typename Call>
ssize_t transfer(Call call, int descriptor, bool write, std::size_t bytes) {
  if (!spilled(descriptor)) return call(bytes);
  Plan& now = plan();
  const long number = (write ? now.writes : now.reads)++;
  const bool met = number == now.at;
  if (met && !write && now.fault == "vanish") {
    now.vanished = descriptor;
    if (ftruncate(descriptor, 0) != 0) abort();
  }
  if (descriptor == now.vanished) return errno = EIO, -1;
  if (met && now.fault == (write ? "kill-before-write" : "kill-before-read")) raise(SIGKILL);
  if (met && write && now.fault == "kill-in-write") {
    call(bytes / 2);
    raise(SIGKILL);
  }
  if (now.fault == "io-error" && write && met) return errno = EIO, -1;
  if (now.fault == "no-space" && write && number >= now.at) return errno = ENOSPC, -1;
  const bool cut = now.fault == "short" && number >= now.at && (number - now.at) % 2 == 0 && bytes > 4096;
  const ssize_t moved = call(cut ? bytes / 2 / 4096 * 4096 : bytes);
  if (met && now.fault == (write ? "kill-after-write" : "kill-after-read")) raise(SIGKILL);
  return moved;
}

}  // namespace

extern "C" {

ssize_t pread(int descriptor, void* data, std::size_t bytes, off_t offset) {
  static const auto next = real<decltype(&pread)>("pread");
  return transfer([&](std::size_t count) { return next(descriptor, data, count, offset); }, descriptor, false,
                  bytes);
}
ssize_t pread64(int descriptor, void* data, std::size_t bytes, off64_t offset) {
  return pread(descriptor, data, bytes, offset);
}
ssize_t pwrite(int descriptor, const void* data, std::size_t bytes, off_t offset) {
  static const auto next = real<decltype(&pwrite)>("pwrite");
  return transfer([&](std::size_t count) { return next(descriptor, data, count, offset); }, descriptor, true,
                  bytes);
}
ssize_t pwrite64(int descriptor, const void* data, std::size_t bytes, off64_t offset) {
  return pwrite(descriptor, data, bytes, offset);
}

int statvfs(const char* path, struct statvfs* facts) noexcept {
  static const auto next = real<decltype(&statvfs)>("statvfs");
  const int status = next(path, facts);
  if (plan().fault == "roomy" && status == 0) facts->f_bavail = (std::uint64_t{1} << 40) / facts->f_frsize;
  return status;
}
int statvfs64(const char* path, struct statvfs64* facts) noexcept {
  return statvfs(path, reinterpret_cast<struct statvfs*>(facts));
}
int statfs(const char* path, struct statfs* facts) noexcept {
  static const auto next = real<decltype(&statfs)>("statfs");
  const int status = next(path, facts);
  if (plan().fault == "roomy" && status == 0)
    facts->f_bavail = (std::uint64_t{1} << 40) / static_cast<std::uint64_t>(facts->f_bsize);
  return status;
}
}
