#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "comm/shards.h"
#include "core/dtype.h"

namespace trireme::comm {

enum class Reduction : std::uint8_t { sum, mean, max };

/// One operation of a communicator as plain data: what its lane queues, its backend carries out, and the
/// watchdog names.
struct Call {
  enum class Kind : std::uint8_t {
    all_gather,
    reduce_scatter,
    all_reduce,
    broadcast,
    all_to_all,
    send,
    receive,
    barrier
  };

  Kind kind = Kind::barrier;
  DType dtype = DType::f32;
  Reduction reduction = Reduction::sum;
  const void* in = nullptr;
  void* out = nullptr;
  /// all_gather, reduce_scatter: how the whole vector is cut. all_to_all: how `in` is cut over the receivers.
  Shards shards = Shards::even(0, 0);
  /// all_to_all: how `out` is cut over the senders.
  Shards received = Shards::even(0, 0);
  /// all_reduce, broadcast, send, receive: elements.
  std::size_t count = 0;
  /// broadcast: the root; send, receive: the other side; a rank of the group.
  int peer = 0;

  static Call all_gather(const void* shard, void* whole, Shards shards, DType dtype);
  static Call reduce_scatter(const void* whole, void* shard, Shards shards, DType dtype, Reduction reduction);
  /// `in` may equal `out`.
  static Call all_reduce(const void* in, void* out, std::size_t count, DType dtype, Reduction reduction);
  static Call broadcast(void* data, std::size_t count, DType dtype, int root);
  static Call all_to_all(const void* in, void* out, Shards sent, Shards received, DType dtype);
  static Call send(const void* data, std::size_t count, DType dtype, int to);
  static Call receive(void* data, std::size_t count, DType dtype, int from);
  static Call barrier();

  /// Elements of the whole vector, whichever way the call counts them.
  std::size_t elements() const;
  /// Throws unless the call makes sense for this rank of a group: cuts for every rank, a peer that exists,
  /// memory where there are elements. Input and output are apart, or in place: the same range of an
  /// all_reduce, the rank's own shard inside the whole of an all_gather or reduce_scatter.
  void check(int rank, int size) const;
  /// "all_gather of 4096 bf16": for messages.
  std::string describe() const;
};

std::string_view name_of(Call::Kind kind);
std::string_view name_of(Reduction reduction);

}  // namespace trireme::comm
