#include "tests/io/disk_faults.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

struct Plan {
  std::string folder;
  std::atomic<DiskFault> fault{DiskFault::none};
  std::atomic<long> at{0}, calls{0};
  std::atomic<bool> swaps{true};
};

Plan& plan() {
  static Plan made;
  return made;
}

template <typename Call>
Call real(const char* name) {
  return reinterpret_cast<Call>(dlsym(RTLD_NEXT, name));
}

bool below(const char* path) {
  const std::string& folder = plan().folder;
  return !folder.empty() && std::strncmp(path, folder.c_str(), folder.size()) == 0;
}

bool below(int descriptor) {
  char path[4096] = {};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  return readlink(link.c_str(), path, sizeof(path) - 1) > 0 && below(path);
}

/// What happens to this call.
DiskFault draw() {
  Plan& now = plan();
  const long call = ++now.calls;
  const DiskFault fault = now.fault;
  const bool met = call == now.at || (fault == DiskFault::no_space && call > now.at);
  if (!met || fault == DiskFault::none) return DiskFault::none;
  if (fault == DiskFault::kill) raise(SIGKILL);
  return fault;
}

bool refused(DiskFault fault) {
  if (fault == DiskFault::no_space) errno = ENOSPC;
  if (fault == DiskFault::io_error) errno = EIO;
  return fault == DiskFault::no_space || fault == DiskFault::io_error;
}

template <typename Write>
ssize_t faulty_write(int descriptor, const void* data, std::size_t bytes, Write write) {
  if (!below(descriptor)) return write(data, bytes);
  const DiskFault fault = draw();
  if (refused(fault)) return -1;
  if (fault == DiskFault::lost_write) return static_cast<ssize_t>(bytes);
  if (fault == DiskFault::short_write && bytes > 1)
    return write(data, bytes > 8192 ? bytes / 2 / 512 * 512 : bytes / 2);
  if (fault == DiskFault::flipped_bit && bytes > 0) {
    // At the address's own place in a page, as direct writes want it.
    std::vector<char> copy(bytes + 8192);
    char* changed = copy.data() + (4096 - reinterpret_cast<std::uintptr_t>(copy.data()) % 4096);
    std::memcpy(changed, data, bytes);
    changed[bytes / 3] = static_cast<char>(changed[bytes / 3] ^ 16);
    return write(changed, bytes);
  }
  return write(data, bytes);
}

/// Operations that are done or not.
template <typename Work>
int faulty(bool concerned, Work work) {
  return concerned && refused(draw()) ? -1 : work();
}

}  // namespace

extern "C" {

void disk_faults_arm(const char* folder, DiskFault fault, long at) {
  plan().folder = folder;
  plan().fault = fault, plan().at = at, plan().calls = 0;
}
long disk_faults_calls() {
  return plan().calls;
}
void disk_faults_allow_swaps(bool allowed) {
  plan().swaps = allowed;
}

ssize_t pwrite64(int descriptor, const void* data, std::size_t bytes, off64_t at) {
  static const auto next = real<ssize_t (*)(int, const void*, std::size_t, off64_t)>("pwrite64");
  return faulty_write(descriptor, data, bytes,
                      [&](const void* d, std::size_t b) { return next(descriptor, d, b, at); });
}
ssize_t pwrite(int descriptor, const void* data, std::size_t bytes, off_t at) {
  return pwrite64(descriptor, data, bytes, at);
}
ssize_t write(int descriptor, const void* data, std::size_t bytes) {
  static const auto next = real<ssize_t (*)(int, const void*, std::size_t)>("write");
  return faulty_write(descriptor, data, bytes,
                      [&](const void* d, std::size_t b) { return next(descriptor, d, b); });
}
int fsync(int descriptor) {
  static const auto next = real<int (*)(int)>("fsync");
  return faulty(below(descriptor), [&] { return next(descriptor); });
}
int fallocate64(int descriptor, int mode, off64_t at, off64_t bytes) {
  static const auto next = real<int (*)(int, int, off64_t, off64_t)>("fallocate64");
  return faulty(below(descriptor), [&] { return next(descriptor, mode, at, bytes); });
}
int fallocate(int descriptor, int mode, off_t at, off_t bytes) {
  return fallocate64(descriptor, mode, at, bytes);
}
int ftruncate64(int descriptor, off64_t bytes) {
  static const auto next = real<int (*)(int, off64_t)>("ftruncate64");
  return faulty(below(descriptor), [&] { return next(descriptor, bytes); });
}
int ftruncate(int descriptor, off_t bytes) {
  return ftruncate64(descriptor, bytes);
}
int rename(const char* from, const char* to) {
  static const auto next = real<int (*)(const char*, const char*)>("rename");
  return faulty(below(to), [&] { return next(from, to); });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  static const auto next = real<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  if (below(to) && !plan().swaps) {
    errno = EINVAL;
    return -1;
  }
  return faulty(below(to), [&] { return next(from_folder, from, to_folder, to, flags); });
}
int mkdir(const char* path, mode_t mode) {
  static const auto next = real<int (*)(const char*, mode_t)>("mkdir");
  return faulty(below(path), [&] { return next(path, mode); });
}
int unlinkat(int folder, const char* path, int flags) {
  static const auto next = real<int (*)(int, const char*, int)>("unlinkat");
  return faulty(folder == AT_FDCWD ? below(path) : below(folder), [&] { return next(folder, path, flags); });
}
int unlink(const char* path) {
  static const auto next = real<int (*)(const char*)>("unlink");
  return faulty(below(path), [&] { return next(path); });
}
}
