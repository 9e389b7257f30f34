#include "cuda/nccl_calls.h"

#include <cstddef>

#include "core/error.h"
#include "cuda/check.h"

namespace trireme::cuda {
namespace {

using comm::Call;
using comm::Reduction;

/// A type that NCCL has, and how many of it make one of ours.
struct Elements {
  ncclDataType_t type;
  std::size_t each = 1;
};

Elements elements_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return {ncclFloat32};
    case DType::f64:
      return {ncclFloat64};
    case DType::bf16:
      return {ncclBfloat16};
    case DType::f16:
      return {ncclFloat16};
    case DType::i8:
      return {ncclInt8};
    case DType::u8:
    case DType::boolean:
      return {ncclUint8};
    case DType::i16:
      return {ncclUint8, 2};
    case DType::i32:
      return {ncclInt32};
    case DType::i64:
      return {ncclInt64};
  }
  return {ncclUint8};
}

ncclDataType_t reducible(const Call& call) {
  if (call.dtype == DType::i16)
    fail(ExitCode::usage, "NCCL cannot reduce i16 ({}); use i32 or the mpi backend", call.describe());
  return elements_of(call.dtype).type;
}

ncclRedOp_t operation_of(const Call& call) {
  if (call.dtype == DType::boolean) return ncclMax;  // the sum of truths is whether any holds
  switch (call.reduction) {
    case Reduction::sum:
      return ncclSum;
    case Reduction::mean:
      return ncclAvg;
    case Reduction::max:
      return ncclMax;
  }
  return ncclSum;
}

/// Several calls that NCCL carries out as one; ends the group on the way out of an exception too, or the next
/// would be part of it.
class Grouped {
 public:
  explicit Grouped(const NcclApi& api) : api_(api) { check(api_, api_.group_start(), "ncclGroupStart"); }
  ~Grouped() {
    if (open_) api_.group_end();
  }
  Grouped(const Grouped&) = delete;
  Grouped& operator=(const Grouped&) = delete;
  void end() {
    open_ = false;
    check(api_, api_.group_end(), "ncclGroupEnd");
  }

 private:
  const NcclApi& api_;
  bool open_ = true;
};

class Issue {
 public:
  Issue(const Apis& apis, const Call& call, const NcclPlace& place)
      : nccl_(apis.nccl), cuda_(apis.cuda), call_(call), at_(place), elements_(elements_of(call.dtype)) {}

  void all_gather() {
    if (call_.shards.uniform()) {
      const std::size_t count = call_.shards.count(at_.rank) * elements_.each;
      if (count == 0) return;
      return expect(nccl_.all_gather(call_.in, call_.out, count, elements_.type, at_.comm, at_.stream),
                    "ncclAllGather");
    }
    Grouped group(nccl_);
    for (int root = 0; root < at_.size; ++root) {
      const std::size_t count = call_.shards.count(root) * elements_.each;
      if (count == 0) continue;
      std::byte* place = part(call_.out, call_.shards.offset(root));
      const void* from = root == at_.rank ? call_.in : place;
      expect(nccl_.broadcast(from, place, count, elements_.type, root, at_.comm, at_.stream),
             "ncclBroadcast");
    }
    group.end();
  }

  void reduce_scatter() {
    const ncclDataType_t type = reducible(call_);
    const ncclRedOp_t operation = operation_of(call_);
    if (call_.shards.uniform()) {
      const std::size_t count = call_.shards.count(at_.rank);
      if (count == 0) return;
      return expect(nccl_.reduce_scatter(call_.in, call_.out, count, type, operation, at_.comm, at_.stream),
                    "ncclReduceScatter");
    }
    Grouped group(nccl_);
    for (int root = 0; root < at_.size; ++root) {
      const std::size_t count = call_.shards.count(root);
      if (count == 0) continue;
      const void* from = part(call_.in, call_.shards.offset(root));
      void* to = root == at_.rank ? call_.out : nullptr;
      expect(nccl_.reduce(from, to, count, type, operation, root, at_.comm, at_.stream), "ncclReduce");
    }
    group.end();
  }

  void all_reduce() {
    if (call_.count == 0) return;
    expect(nccl_.all_reduce(call_.in, call_.out, call_.count, reducible(call_), operation_of(call_), at_.comm,
                            at_.stream),
           "ncclAllReduce");
  }

  void broadcast() {
    if (call_.count == 0) return;
    expect(nccl_.broadcast(call_.out, call_.out, call_.count * elements_.each, elements_.type, call_.peer,
                           at_.comm, at_.stream),
           "ncclBroadcast");
  }

  void all_to_all() {
    const std::size_t own = call_.shards.count(at_.rank);
    require(own == call_.received.count(at_.rank), "{}: a rank sends itself {} elements and expects {}",
            call_.describe(), own, call_.received.count(at_.rank));
    if (own > 0) {
      check(cuda_,
            cuda_.memcpy_async(part(call_.out, call_.received.offset(at_.rank)),
                               part(call_.in, call_.shards.offset(at_.rank)), own * size_of(call_.dtype),
                               cudaMemcpyDefault, at_.stream),
            "cudaMemcpyAsync");
    }
    Grouped group(nccl_);
    for (int peer = 0; peer < at_.size; ++peer) {
      if (peer == at_.rank) continue;
      if (call_.shards.count(peer) > 0)
        send(part(call_.in, call_.shards.offset(peer)), call_.shards.count(peer), peer);
      if (call_.received.count(peer) > 0)
        receive(part(call_.out, call_.received.offset(peer)), call_.received.count(peer), peer);
    }
    group.end();
  }

  void send(const void* data, std::size_t count, int peer) {
    if (count == 0) return;
    expect(nccl_.send(data, count * elements_.each, elements_.type, peer, at_.comm, at_.stream), "ncclSend");
  }

  void receive(void* data, std::size_t count, int peer) {
    if (count == 0) return;
    expect(nccl_.recv(data, count * elements_.each, elements_.type, peer, at_.comm, at_.stream), "ncclRecv");
  }

  void barrier() {
    expect(nccl_.all_reduce(at_.scratch, at_.scratch, 1, ncclInt32, ncclMax, at_.comm, at_.stream),
           "ncclAllReduce");
  }

 private:
  void expect(ncclResult_t code, const char* function) const { check(nccl_, code, function, at_.comm); }
  const std::byte* part(const void* base, std::size_t element) const {
    return static_cast<const std::byte*>(base) + element * size_of(call_.dtype);
  }
  std::byte* part(void* base, std::size_t element) const {
    return static_cast<std::byte*>(base) + element * size_of(call_.dtype);
  }

  const NcclApi& nccl_;
  const CudaApi& cuda_;
  const Call& call_;
  const NcclPlace& at_;
  Elements elements_;
};

}  // namespace

void issue(const Apis& apis, const Call& call, const NcclPlace& place) {
  Issue it(apis, call, place);
  switch (call.kind) {
    case Call::Kind::all_gather:
      return it.all_gather();
    case Call::Kind::reduce_scatter:
      return it.reduce_scatter();
    case Call::Kind::all_reduce:
      return it.all_reduce();
    case Call::Kind::broadcast:
      return it.broadcast();
    case Call::Kind::all_to_all:
      return it.all_to_all();
    case Call::Kind::send:
      return it.send(call.in, call.count, call.peer);
    case Call::Kind::receive:
      return it.receive(call.out, call.count, call.peer);
    case Call::Kind::barrier:
      return it.barrier();
  }
}

}  // namespace trireme::cuda
