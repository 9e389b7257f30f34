#include "offload/nvme/uring_backend.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <liburing.h>
#include <sys/eventfd.h>

#include "core/error.h"

namespace trireme::offload {
namespace {

constexpr std::uint64_t wake_tag = ~std::uint64_t{0};
constexpr unsigned most_files = 256, most_regions = 256;
/// The kernel registers no more in one piece.
constexpr std::size_t most_region_bytes = std::size_t{1} << 30;

int start(unsigned depth, io_uring* ring) {
  io_uring_params params{};
  params.flags = IORING_SETUP_COOP_TASKRUN;
  const int status = io_uring_queue_init_params(depth, ring, &params);
  if (status != -EINVAL) return status;
  params = {};
  return io_uring_queue_init_params(depth, ring, &params);
}

}  // namespace

void UringBackend::Close::operator()(io_uring* ring) const {
  io_uring_queue_exit(ring);
  delete ring;
}

UringBackend::UringBackend(unsigned depth) : depth_(std::max(depth, 1u)) {
  auto ring = std::make_unique<io_uring>();
  const int status = start(depth_ + 1, ring.get());
  if (status < 0)
    fail(ExitCode::configuration, "io_uring cannot be had: {}; set offload.nvme_backend=threads",
         std::strerror(-status));
  ring_.reset(ring.release());
  wakes_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
  require(static_cast<bool>(wakes_), "eventfd: {}", std::strerror(errno));
  if (io_uring_register_buffers_sparse(ring_.get(), most_regions) == 0) memory_.resize(most_regions);
  if (io_uring_register_files_sparse(ring_.get(), most_files) == 0) files_.resize(most_files, -1);
  listen_for_wakes();
}

UringBackend::~UringBackend() = default;

io_uring_sqe* UringBackend::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  if (!entry) {
    io_uring_submit(ring_.get());
    entry = io_uring_get_sqe(ring_.get());
  }
  require(entry != nullptr, "io_uring: more than {} requests", depth_);
  return entry;
}

void UringBackend::listen_for_wakes() {
  io_uring_sqe* entry = next_entry();
  io_uring_prep_read(entry, wakes_.get(), &woken_, sizeof(woken_), 0);
  io_uring_sqe_set_data64(entry, wake_tag);
  io_uring_submit(ring_.get());
}

int UringBackend::find_memory(const Request& request) const {
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    const auto& region = memory_[i];
    if (region.empty() || request.data < region.data()) continue;
    if (request.data + request.bytes <= region.data() + region.size()) return static_cast<int>(i);
  }
  return -1;
}

void UringBackend::prepare(io_uring_sqe* entry, const Request& request) const {
  const auto known = std::find(files_.begin(), files_.end(), request.descriptor);
  const bool registered = known != files_.end();
  const int file = registered ? static_cast<int>(known - files_.begin()) : request.descriptor;
  const int memory = find_memory(request);
  if (memory >= 0) {
    request.write
        ? io_uring_prep_write_fixed(entry, file, request.data, request.bytes, request.offset, memory)
        : io_uring_prep_read_fixed(entry, file, request.data, request.bytes, request.offset, memory);
  } else {
    request.write ? io_uring_prep_write(entry, file, request.data, request.bytes, request.offset)
                  : io_uring_prep_read(entry, file, request.data, request.bytes, request.offset);
  }
  if (registered) io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(entry, request.tag);
}

void UringBackend::submit(std::span<const Request> requests) {
  for (const Request& request : requests) prepare(next_entry(), request);
  while (io_uring_sq_ready(ring_.get()) > 0) {
    const int status = io_uring_submit(ring_.get());
    if (status < 0 && status != -EINTR && status != -EAGAIN && status != -EBUSY)
      fail(ExitCode::internal, "io_uring takes no requests: {}", std::strerror(-status));
  }
}

std::size_t UringBackend::wait(std::span<Completion> into) {
  io_uring_cqe* first = nullptr;
  const int status = io_uring_wait_cqe(ring_.get(), &first);
  if (status == -EINTR) return 0;
  if (status < 0) fail(ExitCode::internal, "io_uring cannot be waited for: {}", std::strerror(-status));
  std::size_t count = 0;
  bool woken = false;
  while (count < into.size() && io_uring_peek_cqe(ring_.get(), &first) == 0) {
    const std::uint64_t tag = io_uring_cqe_get_data64(first);
    if (tag == wake_tag)
      woken = true;
    else
      into[count++] = {tag, first->res};
    io_uring_cqe_seen(ring_.get(), first);
  }
  if (woken) listen_for_wakes();
  return count;
}

void UringBackend::wake() noexcept {
  const std::uint64_t one = 1;
  while (::write(wakes_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

bool UringBackend::register_memory(std::span<std::byte> memory) {
  while (!memory.empty()) {
    const auto free = std::find_if(memory_.begin(), memory_.end(), [](const auto& r) { return r.empty(); });
    if (free == memory_.end()) return false;
    const std::span<std::byte> region = memory.first(std::min(memory.size(), most_region_bytes));
    const iovec where{region.data(), region.size()};
    const __u64 tag = 0;
    const auto index = static_cast<unsigned>(free - memory_.begin());
    if (io_uring_register_buffers_update_tag(ring_.get(), index, &where, &tag, 1) < 0) return false;
    *free = region;
    memory = memory.subspan(region.size());
  }
  return true;
}

void UringBackend::forget_memory(std::span<std::byte> memory) {
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    if (memory_[i].empty() || memory_[i].data() < memory.data() ||
        memory_[i].data() >= memory.data() + memory.size())
      continue;
    const iovec nothing{nullptr, 0};
    const __u64 tag = 0;
    io_uring_register_buffers_update_tag(ring_.get(), static_cast<unsigned>(i), &nothing, &tag, 1);
    memory_[i] = {};
  }
}

bool UringBackend::register_file(int descriptor) {
  const auto free = std::find(files_.begin(), files_.end(), -1);
  if (free == files_.end()) return false;
  const auto index = static_cast<unsigned>(free - files_.begin());
  if (io_uring_register_files_update(ring_.get(), index, &descriptor, 1) < 0) return false;
  *free = descriptor;
  return true;
}

void UringBackend::forget_file(int descriptor) {
  const auto known = std::find(files_.begin(), files_.end(), descriptor);
  if (known == files_.end()) return;
  int none = -1;
  io_uring_register_files_update(ring_.get(), static_cast<unsigned>(known - files_.begin()), &none, 1);
  *known = -1;
}

}  // namespace trireme::offload
