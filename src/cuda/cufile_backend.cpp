#include "cuda/cufile_backend.h"

#include <algorithm>
#include <cerrno>

#include "core/error.h"
#include "core/log.h"
#include "cuda/cuda_device.h"

namespace trireme::cuda {
namespace {

using offload::Completion;
using offload::Request;

/// More streams than this gain nothing, and each costs the library resources.
constexpr unsigned most_lanes = 64;
constexpr std::chrono::seconds driver_limit{20};
/// How often lanes that say nothing are asked whether their device still works.
constexpr std::chrono::milliseconds patience{500};

/// Whether the way past the host is closed to this file or device, rather than the drive broken.
bool unsupported(std::int64_t code) {
  return code == cufile::platform_not_supported || code == cufile::io_not_supported ||
         code == cufile::device_not_supported || code == cufile::io_disabled ||
         code == cufile::async_not_supported || code == cufile::direct_access_not_set;
}

/// What a stream left as the byte count: bytes, an errno or a code of cuFile's below zero, or -1, which says
/// that the file system failed and not how.
std::int64_t result_of(ssize_t moved) {
  if (moved == -1 || moved == -cufile::io_error) return -EIO;
  return moved == -cufile::no_memory ? -EAGAIN : moved;
}

}  // namespace

CufileBackend::CufileBackend(const CudaApi& cuda, std::unique_ptr<CufileDriver> driver, CudaDevice& device,
                             unsigned depth, std::unique_ptr<offload::Backend>& rest)
    : cuda_(cuda), device_(device), driver_(std::move(driver)) {
  device_.use();
  const std::size_t lanes = std::clamp(depth, 1u, most_lanes);
  busy_.resize(lanes);
  for (std::size_t i = 0; i < lanes; ++i) places_.push_back({this, i});
  for (std::size_t i = 0; i < lanes; ++i) {
    lanes_.push_back(std::make_unique<CufileLane>(cuda_, driver_->api(), passed, &places_[i]));
    free_.push_back(lanes - 1 - i);
  }
  // Last, so that a failure before leaves it with the caller.
  relay_ = std::make_unique<Relay>(std::move(rest), [this](std::span<const Completion> done) {
    const std::lock_guard lock(mutex_);
    others_.insert(others_.end(), done.begin(), done.end());
    changed_.notify_one();
  });
}

void CufileBackend::passed(void* place) {
  const auto& [backend, lane] = *static_cast<const Place*>(place);
  const std::lock_guard lock(backend->mutex_);
  backend->passed_.push_back(lane);
  // Under the lock: whoever waits may destroy this as soon as it is seen.
  backend->changed_.notify_one();
}

std::byte* CufileBackend::base_of(const Request& request) const {
  for (const RegisteredMemory& region : memory_) {
    const auto memory = region.memory();
    if (request.data >= memory.data() && request.data + request.bytes <= memory.data() + memory.size())
      return memory.data();
  }
  return request.data;
}

void CufileBackend::submit(std::span<const Request> requests) {
  device_.use();
  for (const Request& request : requests) start(request);
}

void CufileBackend::start(const Request& request) {
  const auto file = files_.find(request.descriptor);
  if (file == files_.end() || file->second.refused || !device_.holds(request.data))
    return relay_->submit(request);
  require(!free_.empty(), "cuFile: more than {} requests", lanes_.size());
  const std::size_t lane = free_.back();
  const cufile::Status status = lanes_[lane]->start(file->second.known->handle(), base_of(request), request);
  if (status.code == cufile::success) {
    free_.pop_back();
    busy_[lane] = true;
    return;
  }
  if (unsupported(status.code)) return give_away(request, status);
  const std::lock_guard lock(mutex_);
  others_.push_back({request.tag, result_of(-status.code)});
}

/// From now on the file is another backend's, as this request is.
void CufileBackend::give_away(const Request& request, const cufile::Status& status) {
  File& file = files_[request.descriptor];
  if (!file.refused)
    log::warning("{}; the file goes through host memory from now on",
                 describe_cufile(status.code, status.driver_code));
  file.refused = true;
  relay_->submit(request);
}

std::size_t CufileBackend::wait(std::span<Completion> into) {
  std::unique_lock lock(mutex_);
  const auto something = [this] { return woken_ || !passed_.empty() || !others_.empty(); };
  while (!changed_.wait_for(lock, patience, something)) look_after_lanes();
  woken_ = false;
  std::size_t count = std::min(into.size(), others_.size());
  std::copy_n(others_.begin(), count, into.begin());
  others_.erase(others_.begin(), others_.begin() + static_cast<std::ptrdiff_t>(count));
  std::vector<std::size_t> over;
  while (over.size() < into.size() - count && !passed_.empty()) {
    over.push_back(passed_.back());
    passed_.pop_back();
  }
  woken_ = woken_ || !passed_.empty() || !others_.empty();
  lock.unlock();
  for (const std::size_t lane : over) count += settle(lane, into[count]);
  return count;
}

bool CufileBackend::settle(std::size_t lane, Completion& into) {
  if (!busy_[lane]) return false;
  const Request& request = lanes_[lane]->request();
  const std::int64_t result = broken_ ? -ENODEV : result_of(lanes_[lane]->moved());
  busy_[lane] = false;
  free_.push_back(lane);
  if (unsupported(-result)) {
    give_away(request, {static_cast<int>(-result), 0});
    return false;
  }
  into = {request.tag, result};
  return true;
}

/// A device that has failed runs no more functions in its streams, so nobody would tell of its requests.
void CufileBackend::look_after_lanes() {
  device_.use();
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (!busy_[lane] || lanes_[lane]->healthy()) continue;
    broken_ = true;
    passed_.push_back(lane);
  }
}

void CufileBackend::wake() noexcept {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  changed_.notify_one();
}

std::string CufileBackend::describe(int number) const {
  return number > cufile::base_code ? describe_cufile(number) : Backend::describe(number);
}

bool CufileBackend::register_memory(std::span<std::byte> memory) {
  if (memory.empty()) return false;
  if (!device_.holds(memory.data()))
    return relay_->run([&](offload::Backend& host) { return host.register_memory(memory); });
  device_.use();
  memory_.emplace_back(driver_->api(), memory);
  const cufile::Status status = memory_.back().status();
  if (status.code == cufile::success) return true;
  memory_.pop_back();
  log::warning("{}; the library copies what this memory sends and gets",
               describe_cufile(status.code, status.driver_code));
  return false;
}

void CufileBackend::forget_memory(std::span<std::byte> memory) {
  if (memory.empty()) return;
  if (!device_.holds(memory.data())) {
    relay_->run([&](offload::Backend& host) { return host.forget_memory(memory), true; });
    return;
  }
  device_.use();
  std::erase_if(memory_, [&](const RegisteredMemory& region) {
    return region.memory().data() >= memory.data() && region.memory().data() < memory.data() + memory.size();
  });
}

bool CufileBackend::register_file(int descriptor) {
  // Memory of the host's goes to the same file beside cuFile.
  relay_->run([&](offload::Backend& host) { return host.register_file(descriptor); });
  device_.use();
  auto file = std::make_unique<RegisteredFile>(driver_->api(), descriptor);
  const cufile::Status status = file->status();
  if (status.code == cufile::success) {
    files_[descriptor] = {std::move(file), false};
    return true;
  }
  log::warning("{}; the file goes through host memory", describe_cufile(status.code, status.driver_code));
  return false;
}

void CufileBackend::forget_file(int descriptor) {
  relay_->run([&](offload::Backend& host) { return host.forget_file(descriptor), true; });
  device_.use();
  files_.erase(descriptor);
}

std::unique_ptr<offload::Backend> make_cufile_backend(const Apis& apis, CudaDevice& device, unsigned depth,
                                                      Detour detour,
                                                      std::unique_ptr<offload::Backend>& rest) {
  const bool module_loaded = !apis.storage.module_version().empty();
  if (!module_loaded && detour == Detour::refused)
    fail(ExitCode::configuration,
         "GPUDirect Storage cannot be had: the kernel module nvidia-fs is not loaded (modprobe nvidia-fs)");
  auto driver = std::make_unique<CufileDriver>(apis.cuda, apis.storage.load(), device.index(), driver_limit);
  if (!module_loaded) {
    if (!driver->allows_detours())
      fail(ExitCode::configuration,
           "GPUDirect Storage cannot be had: the kernel module nvidia-fs is not loaded and cufile.json does "
           "not allow the compatibility mode; load the module (modprobe nvidia-fs)");
    log::warning(
        "cuFile is in compatibility mode, as the kernel module nvidia-fs is not loaded: it copies through "
        "host memory itself");
  }
  return std::make_unique<CufileBackend>(apis.cuda, std::move(driver), device, depth, rest);
}

}  // namespace trireme::cuda
