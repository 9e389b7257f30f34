#include "comm/ucx/ucx_world.h"

#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>

#include "comm/mpi/gather_texts.h"
#include "core/error.h"

namespace trireme::comm {

bool UcxLinks::built_in() {
  return true;
}

std::string UcxLinks::library_version() {
  return ucp_get_version_string();
}

std::unique_ptr<UcxLinks> UcxLinks::connect(const MpiRuntime& runtime, const UcxOptions& options) {
  return std::make_unique<ucx::UcxWorld>(runtime, options);
}

namespace ucx {
namespace {

constexpr ucp_tag_t whole_tag = ~ucp_tag_t{0};

ucp_tag_t tag_of(int sender, std::uint32_t tag) {
  return static_cast<ucp_tag_t>(sender) << 32 | tag;
}

std::string worker_address(ucp_worker* worker) {
  ucp_address_t* address = nullptr;
  std::size_t bytes = 0;
  check(ucp_worker_get_address(worker, &address, &bytes), "ucp_worker_get_address");
  std::string copy(reinterpret_cast<const char*>(address), bytes);
  ucp_worker_release_address(worker, address);
  return copy;
}

std::string packed_key(ucp_context* context, const Memory& memory) {
  void* packed = nullptr;
  std::size_t bytes = 0;
  check(ucp_rkey_pack(context, memory.handle(), &packed, &bytes), "ucp_rkey_pack");
  std::string copy(static_cast<const char*>(packed), bytes);
  ucp_rkey_buffer_release(packed);
  return copy;
}

struct WindowHead {
  std::uint64_t address;
  std::uint64_t bytes;
};

}  // namespace

UcxWorld::UcxWorld(const MpiRuntime& runtime, const UcxOptions& options)
    : rank_(runtime.rank()),
      time_limit_(options.time_limit),
      context_(make_context(options.transports)),
      window_(context_.get(), options.window_bytes),
      worker_(make_worker(context_.get())) {
  const WindowHead head{reinterpret_cast<std::uint64_t>(window_.data()), options.window_bytes};
  const std::vector<std::string> addresses = gather_texts(runtime, worker_address(worker_.get()));
  const std::vector<std::string> windows =
      gather_texts(runtime, std::string(reinterpret_cast<const char*>(&head), sizeof head) +
                                packed_key(context_.get(), window_));
  peers_.reserve(addresses.size());
  for (std::size_t peer = 0; peer < addresses.size(); ++peer) {
    peers_.emplace_back(worker_.get(), addresses[peer].data());
    WindowHead theirs{};
    std::copy_n(windows[peer].data(), sizeof theirs, reinterpret_cast<char*>(&theirs));
    peers_.back().unpack_window(theirs.address, theirs.bytes, windows[peer].data() + sizeof theirs);
  }
  barrier();
}

UcxWorld::~UcxWorld() {
  if (broken_) return;
  try {
    for (int peer = 0; peer < size(); ++peer) flush(peer);
    barrier();
    close_all();
    barrier();
    // NOLINTNEXTLINE(bugprone-empty-catch): the endpoints' destructors cut off what is left
  } catch (const std::exception&) {
  }
}

void UcxWorld::close_all() {
  for (int rank = 0; rank < size(); ++rank) finish(peer(rank).close(), "the close of the link", rank);
}

Endpoint& UcxWorld::peer(int rank) {
  require(rank >= 0 && rank < size(), "there is no rank {} among {}", rank, size());
  return peers_[static_cast<std::size_t>(rank)];
}

void UcxWorld::wait(const std::function<bool()>& done, const std::function<void()>& abandon,
                    std::string_view what, int peer) {
  const auto deadline = std::chrono::steady_clock::now() + time_limit_;
  for (unsigned poll = 1; !done(); ++poll) {
    if (ucp_worker_progress(worker_.get()) != 0 || poll % 64 != 0) continue;
    if (std::chrono::steady_clock::now() > deadline) {
      broken_ = true;
      abandon();
      fail(ExitCode::hang, "rank {}: {}{} over UCX did not finish within {} ms", rank_, what,
           peer < 0 ? "" : fmt::format(" with rank {}", peer), time_limit_.count());
    }
    std::this_thread::yield();
  }
}

void UcxWorld::wait_for(ucs_status_ptr_t request, std::string_view what, int peer) {
  const auto abandon = [this, request] {
    ucp_request_cancel(worker_.get(), request);
    ucp_request_free(request);
  };
  wait([request] { return ucp_request_check_status(request) != UCS_INPROGRESS; }, abandon, what, peer);
}

void UcxWorld::finish(ucs_status_ptr_t request, std::string_view what, int peer) {
  if (request == nullptr) return;
  if (UCS_PTR_IS_ERR(request)) check(UCS_PTR_STATUS(request), what);
  wait_for(request, what, peer);
  const ucs_status_t status = ucp_request_check_status(request);
  ucp_request_free(request);
  check(status, what);
}

std::string UcxWorld::describe(int rank) {
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* stream = ::open_memstream(&text, &bytes);
  require(stream != nullptr, "no memory for a text");
  ucp_ep_print_info(peer(rank).get(), stream);
  std::fclose(stream);
  std::string copy(text, bytes);
  std::free(text);
  return copy;
}

Buffer UcxWorld::allocate(std::size_t bytes) {
  auto memory = std::make_shared<Memory>(context_.get(), bytes);
  void* const data = memory->data();
  return Buffer(data, bytes, [memory = std::move(memory)]() mutable { memory.reset(); });
}

void UcxWorld::tag_send(int to, const void* data, std::size_t bytes, std::uint32_t tag) {
  const ucp_request_param_t params{};
  finish(ucp_tag_send_nbx(peer(to).get(), data, bytes, tag_of(rank_, tag), &params), "a tagged send", to);
}

ucs_status_ptr_t UcxWorld::start_receive(int from, void* data, std::size_t bytes, std::uint32_t tag) {
  require(from >= 0 && from < size(), "there is no rank {} among {}", from, size());
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FLAG_NO_IMM_CMPL;
  const ucs_status_ptr_t request =
      ucp_tag_recv_nbx(worker_.get(), data, bytes, tag_of(from, tag), whole_tag, &params);
  if (UCS_PTR_IS_ERR(request)) check(UCS_PTR_STATUS(request), "a tagged receive");
  return request;
}

void UcxWorld::finish_receive(ucs_status_ptr_t request, int from, std::size_t bytes) {
  wait_for(request, "a tagged receive", from);
  ucp_tag_recv_info_t info{};
  const ucs_status_t status = ucp_tag_recv_request_test(request, &info);
  ucp_request_free(request);
  check(status, "a tagged receive");
  require(info.length == bytes, "rank {} sent {} bytes where rank {} expected {}", from, info.length, rank_,
          bytes);
}

void UcxWorld::tag_receive(int from, void* data, std::size_t bytes, std::uint32_t tag) {
  finish_receive(start_receive(from, data, bytes, tag), from, bytes);
}

void UcxWorld::tag_exchange(int peer, const void* out, void* in, std::size_t bytes, std::uint32_t tag) {
  const ucs_status_ptr_t incoming = start_receive(peer, in, bytes, tag);
  tag_send(peer, out, bytes, tag);
  finish_receive(incoming, peer, bytes);
}

std::uint64_t UcxWorld::remote(const Endpoint& endpoint, int peer, std::size_t bytes,
                               std::size_t offset) const {
  require(offset <= endpoint.window_bytes && bytes <= endpoint.window_bytes - offset,
          "{} bytes at {} do not fit rank {}'s window of {} bytes", bytes, offset, peer,
          endpoint.window_bytes);
  return endpoint.window_address + offset;
}

void UcxWorld::keep(Endpoint& endpoint, ucs_status_ptr_t request, std::string_view what, int peer) {
  if (UCS_PTR_IS_ERR(request))
    fail(ExitCode::requeue, "{} with rank {} failed: {}", what, peer,
         ucs_status_string(UCS_PTR_STATUS(request)));
  if (request != nullptr) endpoint.unflushed.push_back(request);
}

void UcxWorld::put(int to, const void* data, std::size_t bytes, std::size_t offset) {
  Endpoint& endpoint = peer(to);
  const ucp_request_param_t params{};
  const std::uint64_t address = remote(endpoint, to, bytes, offset);
  keep(endpoint, ucp_put_nbx(endpoint.get(), data, bytes, address, endpoint.window_key.get(), &params),
       "a put", to);
}

void UcxWorld::get(int from, void* data, std::size_t bytes, std::size_t offset) {
  Endpoint& endpoint = peer(from);
  const ucp_request_param_t params{};
  const std::uint64_t address = remote(endpoint, from, bytes, offset);
  keep(endpoint, ucp_get_nbx(endpoint.get(), data, bytes, address, endpoint.window_key.get(), &params),
       "a get", from);
}

void UcxWorld::flush(int rank) {
  Endpoint& endpoint = peer(rank);
  const ucp_request_param_t params{};
  finish(ucp_ep_flush_nbx(endpoint.get(), &params), "a flush", rank);
  while (!endpoint.unflushed.empty()) {
    const ucs_status_ptr_t request = endpoint.unflushed.back();
    endpoint.unflushed.pop_back();
    finish(request, "a one-sided transfer", rank);
  }
}

void UcxWorld::barrier() {
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(MPI_Ibarrier(MPI_COMM_WORLD, &request), "MPI_Ibarrier");
  wait(
      [&request] {
        int done = 0;
        check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
        return done != 0;
      },
      [] {}, "a barrier", -1);
}

}  // namespace ucx
}  // namespace trireme::comm
