#include "tests/nccl_double/host_nccl.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <fmt/format.h>

#include "tests/nccl_double/host_codec.h"
#include "tests/nccl_double/host_comm.h"
#include "tests/nccl_double/host_compute.h"
#include "tests/nccl_double/host_types.h"
#include "tests/nccl_double/meeting.h"
#include "tests/nccl_double/wire.h"

namespace trireme::tests {
namespace {

struct State {
  std::mutex mutex;
  std::map<HostComm*, std::shared_ptr<HostComm>> alive;
  std::set<void*> blocks;
};

State& state() {
  static State instance;
  return instance;
}

/// NCCL's groups belong to the thread.
struct Group {
  int depth = 0;
  std::vector<std::pair<HostComm*, HostOp>> ops;
};

Group& group() {
  thread_local Group instance;
  return instance;
}

ncclResult_t misuse(std::string what, ncclResult_t code = ncclInvalidUsage) {
  report_misuse(std::move(what));
  return code;
}

HostComm* alive(ncclComm_t handle, const char* function) {
  State& shared = state();
  {
    std::lock_guard lock(shared.mutex);
    const auto found = shared.alive.find(reinterpret_cast<HostComm*>(handle));
    if (found != shared.alive.end()) return found->first;
  }
  report_misuse(fmt::format("{} on a communicator that is not alive", function));
  return nullptr;
}

ncclComm_t adopt(std::shared_ptr<HostComm> comm) {
  State& shared = state();
  std::lock_guard lock(shared.mutex);
  HostComm* raw = comm.get();
  shared.alive[raw] = std::move(comm);
  return reinterpret_cast<ncclComm_t>(raw);
}

/// Streams that are still busy with the communicator keep it until they are done.
void bury(HostComm* comm) {
  comm->join();
  std::shared_ptr<HostComm> last;
  State& shared = state();
  std::lock_guard lock(shared.mutex);
  last.swap(shared.alive[comm]);
  shared.alive.erase(comm);
}

ncclResult_t close_group() {
  auto ops = std::exchange(group().ops, {});
  while (!ops.empty()) {
    HostComm* comm = ops.front().first;
    std::vector<HostOp> own;
    for (const auto& [of, op] : ops)
      if (of == comm) own.push_back(op);
    std::erase_if(ops, [&](const auto& entry) { return entry.first == comm; });
    comm->hold(std::move(own));
  }
  return ncclInProgress;
}

bool needs_in(const HostOp& op, int rank) {
  return op.kind != HostOp::Kind::receive && !(op.kind == HostOp::Kind::broadcast && rank != op.peer);
}
bool needs_out(const HostOp& op, int rank) {
  return op.kind != HostOp::Kind::send && !(op.kind == HostOp::Kind::reduce && rank != op.peer);
}

ncclResult_t add(ncclComm_t handle, const HostOp& op) {
  HostComm* comm = alive(handle, describe(op).c_str());
  if (!comm) return ncclInvalidArgument;
  const std::string what = fmt::format("rank {}: {}", comm->rank(), describe(op));
  if (comm->in_progress()) return misuse(what + " while an earlier call has not settled");
  if (comm->finalized) return misuse(what + " after ncclCommFinalize");
  if (!host_cuda_has_stream(op.stream))
    return misuse(what + " on a stream that is not alive", ncclInvalidArgument);
  if (comm->stream && comm->stream != op.stream) return misuse(what + " on another stream than before");
  comm->stream = op.stream;
  if (size_of(op.type) == 0) return misuse(what + ": no such type", ncclInvalidArgument);
  if (op.peer < 0 || op.peer >= comm->size()) return misuse(what + ": no such rank", ncclInvalidArgument);
  const std::size_t bytes = op.count * size_of(op.type), ranks = static_cast<std::size_t>(comm->size());
  const std::size_t in = op.kind == HostOp::Kind::reduce_scatter ? bytes * ranks : bytes;
  const std::size_t out = op.kind == HostOp::Kind::all_gather ? bytes * ranks : bytes;
  if (needs_in(op, comm->rank()) && !host_cuda_reaches(op.in, in))
    return misuse(what + " reads outside of device memory", ncclInvalidArgument);
  if (needs_out(op, comm->rank()) && !host_cuda_reaches(op.out, out))
    return misuse(what + " writes outside of device memory", ncclInvalidArgument);
  group().ops.emplace_back(comm, op);
  return group().depth > 0 ? ncclSuccess : close_group();
}

ncclResult_t group_end() {
  if (group().depth == 0) return misuse("ncclGroupEnd without ncclGroupStart");
  if (--group().depth > 0 || group().ops.empty()) return ncclSuccess;
  return close_group();
}

ncclResult_t comm_init(ncclComm_t* made, int size, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (!config || config->blocking != 0) return misuse("a communicator that blocks");
  if (rank < 0 || rank >= size)
    return misuse("ncclCommInitRankConfig with a rank outside of the world", ncclInvalidArgument);
  auto shared = std::make_shared<HostComm>(rank, std::vector<int>(static_cast<std::size_t>(size), -1), 0);
  HostComm* comm = shared.get();
  *made = adopt(std::move(shared));
  comm->begin([comm, id, rank, size] { return meet_by_id(*comm, id, rank, size); });
  return ncclInProgress;
}

ncclResult_t comm_split(ncclComm_t parent_handle, int color, int key, ncclComm_t* made, ncclConfig_t*) {
  HostComm* parent = alive(parent_handle, "ncclCommSplit");
  if (!parent) return ncclInvalidArgument;
  if (parent->in_progress()) return misuse("ncclCommSplit while an earlier call has not settled");
  *made = nullptr;
  parent->begin([parent, color, key, made] {
    auto child = std::make_shared<HostComm>(0, std::vector<int>{}, 0);
    const ncclResult_t result = meet_by_split(*parent, *child, color, key);
    if (result == ncclSuccess) *made = adopt(std::move(child));
    return result;
  });
  return ncclInProgress;
}

ncclResult_t comm_finalize(ncclComm_t handle) {
  HostComm* comm = alive(handle, "ncclCommFinalize");
  if (!comm) return ncclInvalidArgument;
  if (comm->in_progress()) return misuse("ncclCommFinalize while an earlier call has not settled");
  comm->finalized = true;
  comm->begin([comm] { return meet_at_end(*comm); });
  return ncclInProgress;
}

ncclResult_t comm_destroy(ncclComm_t handle) {
  HostComm* comm = alive(handle, "ncclCommDestroy");
  if (!comm) return ncclInvalidArgument;
  if (!comm->finalized || comm->in_progress())
    report_misuse("ncclCommDestroy before ncclCommFinalize has settled");
  if (!comm->registered.empty()) report_misuse("ncclCommDestroy with buffers still registered");
  bury(comm);
  return ncclSuccess;
}

ncclResult_t comm_abort(ncclComm_t handle) {
  HostComm* comm = alive(handle, "ncclCommAbort");
  if (!comm) return ncclInvalidArgument;
  comm->raise_stop();
  bury(comm);
  return ncclSuccess;
}

ncclResult_t comm_get_async_error(ncclComm_t handle, ncclResult_t* result) {
  HostComm* comm = alive(handle, "ncclCommGetAsyncError");
  if (!comm) return ncclInvalidArgument;
  *result = comm->state();
  return ncclSuccess;
}

ncclResult_t comm_register(ncclComm_t handle, void* data, std::size_t bytes, void** made) {
  HostComm* comm = alive(handle, "ncclCommRegister");
  if (!comm) return ncclInvalidArgument;
  if (comm->in_progress()) return misuse("ncclCommRegister while an earlier call has not settled");
  if (!host_cuda_reaches(data, bytes))
    return misuse("ncclCommRegister of memory that is not the device's", ncclInvalidArgument);
  std::lock_guard lock(state().mutex);
  if (!comm->registered.emplace(data, bytes).second)
    return misuse("ncclCommRegister of the same memory twice");
  *made = data;
  return ncclSuccess;
}

ncclResult_t comm_deregister(ncclComm_t handle, void* registration) {
  HostComm* comm = alive(handle, "ncclCommDeregister");
  if (!comm) return ncclInvalidArgument;
  std::lock_guard lock(state().mutex);
  return comm->registered.erase(registration) ? ncclSuccess
                                              : misuse("ncclCommDeregister of what is not registered");
}

ncclResult_t mem_alloc(void** data, std::size_t bytes) {
  *data = host_cuda_allocate(bytes, MemoryKind::device);
  if (!*data) return ncclUnhandledCudaError;
  std::lock_guard lock(state().mutex);
  state().blocks.insert(*data);
  return ncclSuccess;
}

ncclResult_t mem_free(void* data) {
  {
    State& shared = state();
    std::lock_guard lock(shared.mutex);
    if (shared.blocks.erase(data) == 0)
      return misuse("ncclMemFree of what ncclMemAlloc did not make", ncclInvalidArgument);
    for (const auto& [comm, owner] : shared.alive)
      if (comm->registered.contains(data)) report_misuse("ncclMemFree of memory that is still registered");
  }
  host_cuda_free(data);
  return ncclSuccess;
}

void watch_stream(cudaStream_t stream) {
  State& shared = state();
  std::lock_guard lock(shared.mutex);
  for (const auto& [comm, owner] : shared.alive)
    if (comm->holds_for(stream))
      report_misuse("work put into a stream before NCCL's call, which was made earlier, was launched");
}

}  // namespace

cuda::NcclApi host_nccl_api() {
  using Kind = HostOp::Kind;
  return {.get_version = [](int* version) { return *version = NCCL_VERSION_CODE, ncclSuccess; },
          .get_unique_id = make_id,
          .comm_init_rank_config = comm_init,
          .comm_split = comm_split,
          .comm_finalize = comm_finalize,
          .comm_destroy = comm_destroy,
          .comm_abort = comm_abort,
          .comm_get_async_error = comm_get_async_error,
          .comm_register = comm_register,
          .comm_deregister = comm_deregister,
          .mem_alloc = mem_alloc,
          .mem_free = mem_free,
          .all_gather =
              [](const void* in, void* out, std::size_t count, ncclDataType_t type, ncclComm_t comm,
                 cudaStream_t stream) {
                return add(comm, {Kind::all_gather, in, out, count, type, ncclSum, 0, stream});
              },
          .reduce_scatter =
              [](const void* in, void* out, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                 ncclComm_t comm, cudaStream_t stream) {
                return add(comm, {Kind::reduce_scatter, in, out, count, type, op, 0, stream});
              },
          .all_reduce =
              [](const void* in, void* out, std::size_t count, ncclDataType_t type, ncclRedOp_t op,
                 ncclComm_t comm, cudaStream_t stream) {
                return add(comm, {Kind::all_reduce, in, out, count, type, op, 0, stream});
              },
          .broadcast =
              [](const void* in, void* out, std::size_t count, ncclDataType_t type, int root, ncclComm_t comm,
                 cudaStream_t stream) {
                return add(comm, {Kind::broadcast, in, out, count, type, ncclSum, root, stream});
              },
          .reduce =
              [](const void* in, void* out, std::size_t count, ncclDataType_t type, ncclRedOp_t op, int root,
                 ncclComm_t comm, cudaStream_t stream) {
                return add(comm, {Kind::reduce, in, out, count, type, op, root, stream});
              },
          .send =
              [](const void* in, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                 cudaStream_t stream) {
                return add(comm, {Kind::send, in, nullptr, count, type, ncclSum, peer, stream});
              },
          .recv =
              [](void* out, std::size_t count, ncclDataType_t type, int peer, ncclComm_t comm,
                 cudaStream_t stream) {
                return add(comm, {Kind::receive, nullptr, out, count, type, ncclSum, peer, stream});
              },
          .group_start = [] { return ++group().depth, ncclSuccess; },
          .group_end = group_end,
          .get_error_string =
              [](ncclResult_t code) {
                return code == ncclInvalidUsage  ? "invalid usage"
                       : code == ncclRemoteError ? "remote process exited"
                                                 : "some error";
              },
          .get_last_error = [](ncclComm_t) { return ""; }};
}

const cuda::Apis& host_apis() {
  static const cuda::Apis apis = [] {
    Wire::open();
    host_cuda_watch_streams(watch_stream);
    return cuda::Apis{.cuda = host_cuda_api(),
                      .nccl = host_nccl_api(),
                      .codec = host_codec_api(),
                      .compute = host_compute_api(),
                      .use_for_tensors = use_host_stream_for_tensors,
                      .tensor_stream = host_tensor_stream,
                      .is_host = true};
  }();
  return apis;
}

std::size_t host_nccl_alive() {
  std::lock_guard lock(state().mutex);
  return state().alive.size() + state().blocks.size();
}

}  // namespace trireme::tests
