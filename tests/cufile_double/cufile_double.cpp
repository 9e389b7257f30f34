#include "tests/cufile_double/cufile_double.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "cuda/cufile_api.h"

namespace {

namespace cufile = trireme::cuda::cufile;
using cufile::Status;

struct State {
  std::mutex mutex;
  void (*post)(void*, void (*)(void*), void*) = nullptr;
  std::set<int*> files;  ///< each holds its descriptor
  std::map<const char*, std::size_t> memories;
  std::set<void*> streams;
  long opens = 0, under_way = 0;
  CufileCounts counts;
  CufileFault fault = CufileFault::none;
  long at = 0, calls = 0;
  std::int64_t value = 0;
  bool detours = true;
  std::string misuse;
};

State& state() {
  static State only;
  return only;
}

void misuse(const char* what) {
  ++state().counts.misuses;
  state().misuse = what;
}

/// Whether the call of this kind that is made now is the one that goes wrong.
bool strikes(CufileFault kind) {
  State& s = state();
  return s.fault == kind && (s.at < 0 || s.calls++ == s.at);
}

Status code(std::int64_t number) {
  return {static_cast<int>(number), 0};
}

struct Transfer {
  bool write;
  int descriptor;
  void* base;
  std::size_t* bytes;
  off_t *file_offset, *memory_offset;
  ssize_t* moved;
};

/// What is around this address; nothing where no memory is registered.
bool registered(const char* data, std::size_t bytes) {
  const auto after = state().memories.upper_bound(data);
  if (after == state().memories.begin()) return false;
  const auto& [start, size] = *std::prev(after);
  return data + bytes <= start + size;
}

void carry_out(void* about) {
  const std::unique_ptr<Transfer> transfer(static_cast<Transfer*>(about));
  char* data = static_cast<char*>(transfer->base) + *transfer->memory_offset;
  std::size_t bytes = *transfer->bytes;
  std::int64_t faulty = 1;
  {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    --s.under_way;
    ++(transfer->write ? s.counts.writes : s.counts.reads);
    s.counts.unregistered += !registered(data, bytes);
    if (strikes(CufileFault::result)) {
      faulty = s.value;
      if (faulty > 0) bytes = std::min<std::size_t>(bytes, static_cast<std::size_t>(faulty));
    }
  }
  if (faulty <= 0) {
    *transfer->moved = faulty;
    return;
  }
  // A short transfer moves what direct access can, as a drive would.
  const std::size_t whole = bytes < *transfer->bytes ? std::max<std::size_t>(bytes / 512 * 512, 512) : bytes;
  const ssize_t moved = transfer->write ? ::pwrite(transfer->descriptor, data, whole, *transfer->file_offset)
                                        : ::pread(transfer->descriptor, data, whole, *transfer->file_offset);
  *transfer->moved = moved < 0 ? -errno : std::min(moved, static_cast<ssize_t>(bytes));
}

Status start(bool write, cufile::File file, void* base, std::size_t* bytes, off_t* file_offset,
             off_t* memory_offset, ssize_t* moved, cudaStream_t stream) {
  State& s = state();
  int descriptor = -1;
  {
    const std::lock_guard lock(s.mutex);
    if (s.opens == 0) misuse("a transfer without an open driver");
    if (strikes(CufileFault::submit)) return code(s.value);
    if (!s.files.contains(static_cast<int*>(file))) {
      misuse("a transfer of a file that is not registered");
      return code(cufile::file_not_registered);
    }
    descriptor = *static_cast<int*>(file);
    s.counts.most_under_way = std::max(s.counts.most_under_way, ++s.under_way);
  }
  s.post(stream, carry_out, new Transfer{write, descriptor, base, bytes, file_offset, memory_offset, moved});
  return {};
}

}  // namespace

extern "C" {

Status cuFileDriverOpen() {
  State& s = state();
  std::unique_lock lock(s.mutex);
  if (strikes(CufileFault::driver)) return code(s.value);
  if (strikes(CufileFault::slow_driver)) {
    const std::chrono::milliseconds pause(s.value);
    lock.unlock();
    std::this_thread::sleep_for(pause);
    lock.lock();
  }
  if (s.opens > 0) return code(cufile::driver_already_open);
  ++s.opens;
  return {};
}

Status cuFileDriverClose_v2() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.opens == 0) misuse("the driver closed that is not open");
  if (!s.files.empty()) misuse("the driver closed before its files were deregistered");
  if (!s.memories.empty()) misuse("the driver closed before its memory was deregistered");
  if (!s.streams.empty()) misuse("the driver closed before its streams were deregistered");
  if (s.under_way != 0) misuse("the driver closed with transfers under way");
  --s.opens;
  return {};
}

Status cuFileDriverGetProperties(cufile::DriverProperties* properties) {
  *properties = {};
  properties->control_flags = state().detours ? cufile::compatibility_allowed : 0;
  return {};
}

Status cuFileHandleRegister(cufile::File* file, cufile::FileDescription* description) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.opens == 0) return code(cufile::driver_not_initialised);
  if (strikes(CufileFault::file)) return code(s.value);
  const int flags = ::fcntl(description->descriptor, F_GETFL);
  if (description->type != 1 || flags < 0) return code(cufile::invalid_file_type);
  if ((flags & O_DIRECT) == 0) return code(cufile::direct_access_not_set);
  for (const int* known : s.files)
    if (*known == description->descriptor) {
      misuse("a file registered twice");
      return code(cufile::file_already_registered);
    }
  auto* made = new int(description->descriptor);
  s.files.insert(made);
  *file = made;
  return {};
}

void cuFileHandleDeregister(cufile::File file) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  auto* known = static_cast<int*>(file);
  if (s.files.erase(known) == 0) return misuse("a file deregistered that is not registered");
  if (::fcntl(*known, F_GETFL) < 0) misuse("a file closed before it was deregistered");
  if (s.under_way != 0) misuse("a file deregistered with transfers under way");
  delete known;
}

Status cuFileBufRegister(const void* data, std::size_t bytes, int) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (strikes(CufileFault::memory)) return code(s.value);
  if (s.memories.contains(static_cast<const char*>(data))) {
    misuse("memory registered twice");
    return code(cufile::memory_already_registered);
  }
  s.memories[static_cast<const char*>(data)] = bytes;
  return {};
}

Status cuFileBufDeregister(const void* data) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.memories.erase(static_cast<const char*>(data)) == 1) return {};
  misuse("memory deregistered that is not registered");
  return code(cufile::memory_not_registered);
}

Status cuFileStreamRegister(cudaStream_t stream, unsigned) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (strikes(CufileFault::stream)) return code(s.value);
  if (!s.streams.insert(stream).second) misuse("a stream registered twice");
  return {};
}

Status cuFileStreamDeregister(cudaStream_t stream) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.streams.erase(stream) == 0) misuse("a stream deregistered that is not registered");
  return {};
}

Status cuFileReadAsync(cufile::File file, void* base, std::size_t* bytes, off_t* file_offset,
                       off_t* memory_offset, ssize_t* moved, cudaStream_t stream) {
  return start(false, file, base, bytes, file_offset, memory_offset, moved, stream);
}

Status cuFileWriteAsync(cufile::File file, void* base, std::size_t* bytes, off_t* file_offset,
                        off_t* memory_offset, ssize_t* moved, cudaStream_t stream) {
  return start(true, file, base, bytes, file_offset, memory_offset, moved, stream);
}

void cufile_double_connect(void (*post)(void*, void (*)(void*), void*)) {
  state().post = post;
}

void cufile_double_arm(CufileFault fault, long at, std::int64_t value) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.fault = fault, s.at = at, s.value = value, s.calls = 0;
}

void cufile_double_allow_detours(bool allowed) {
  state().detours = allowed;
}

CufileCounts cufile_double_counts() {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  CufileCounts counts = s.counts;
  counts.files = static_cast<long>(s.files.size()), counts.memories = static_cast<long>(s.memories.size());
  counts.streams = static_cast<long>(s.streams.size()), counts.opens = s.opens;
  return counts;
}

const char* cufile_double_misuse() {
  return state().misuse.c_str();
}

void cufile_double_reset() {
  cufile_double_arm(CufileFault::none, 0, 0);
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.counts = {}, s.misuse.clear(), s.detours = true;
}

}  // extern "C"
