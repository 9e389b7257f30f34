#include "comm/call.h"

#include <utility>

#include <fmt/format.h>

namespace trireme::comm {

Call Call::all_gather(const void* shard, void* whole, Shards shards, DType dtype) {
  Call call;
  call.kind = Kind::all_gather, call.in = shard, call.out = whole, call.shards = std::move(shards),
  call.dtype = dtype;
  return call;
}

Call Call::reduce_scatter(const void* whole, void* shard, Shards shards, DType dtype, Reduction reduction) {
  Call call;
  call.kind = Kind::reduce_scatter, call.in = whole, call.out = shard, call.shards = std::move(shards);
  call.dtype = dtype, call.reduction = reduction;
  return call;
}

Call Call::all_reduce(const void* in, void* out, std::size_t count, DType dtype, Reduction reduction) {
  Call call;
  call.kind = Kind::all_reduce, call.in = in, call.out = out, call.count = count;
  call.dtype = dtype, call.reduction = reduction;
  return call;
}

Call Call::broadcast(void* data, std::size_t count, DType dtype, int root) {
  Call call;
  call.kind = Kind::broadcast, call.in = data, call.out = data, call.count = count, call.dtype = dtype,
  call.peer = root;
  return call;
}

Call Call::all_to_all(const void* in, void* out, Shards sent, Shards received, DType dtype) {
  Call call;
  call.kind = Kind::all_to_all, call.in = in, call.out = out, call.dtype = dtype;
  call.shards = std::move(sent), call.received = std::move(received);
  return call;
}

Call Call::send(const void* data, std::size_t count, DType dtype, int to) {
  Call call;
  call.kind = Kind::send, call.in = data, call.count = count, call.dtype = dtype, call.peer = to;
  return call;
}

Call Call::receive(void* data, std::size_t count, DType dtype, int from) {
  Call call;
  call.kind = Kind::receive, call.out = data, call.count = count, call.dtype = dtype, call.peer = from;
  return call;
}

Call Call::barrier() {
  return Call{};
}

std::size_t Call::elements() const {
  switch (kind) {
    case Kind::all_gather:
    case Kind::reduce_scatter:
    case Kind::all_to_all:
      return shards.total();
    default:
      return count;
  }
}

std::string Call::describe() const {
  if (kind == Kind::barrier) return "barrier";
  return fmt::format("{} of {} {}", name_of(kind), elements(), trireme::name_of(dtype));
}

std::string_view name_of(Call::Kind kind) {
  switch (kind) {
    case Call::Kind::all_gather:
      return "all_gather";
    case Call::Kind::reduce_scatter:
      return "reduce_scatter";
    case Call::Kind::all_reduce:
      return "all_reduce";
    case Call::Kind::broadcast:
      return "broadcast";
    case Call::Kind::all_to_all:
      return "all_to_all";
    case Call::Kind::send:
      return "send";
    case Call::Kind::receive:
      return "receive";
    case Call::Kind::barrier:
      return "barrier";
  }
  return "unknown";
}

std::string_view name_of(Reduction reduction) {
  switch (reduction) {
    case Reduction::sum:
      return "sum";
    case Reduction::mean:
      return "mean";
    case Reduction::max:
      return "max";
  }
  return "unknown";
}

}  // namespace trireme::comm
