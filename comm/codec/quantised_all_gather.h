#pragma once
#include "comm/codec/order.h"
#include "comm/communicator.h"

namespace trireme::comm {

/// qwZ: gathers parameters in 8 (or 4) bits. What arrives is decoded from the same bytes on every rank, a
/// rank's own shard too, so all ranks hold the same values to the bit. Each element is off by at most half a
/// step of its block. Encodes and decodes where the communicator's memory is.
class QuantisedAllGather {
 public:
  /// Takes memory for vectors cut no larger than `largest`, and so is made by all ranks of the node together.
  QuantisedAllGather(Communicator& communicator, const Shards& largest,
                     const codec::BlockFormat& format = codec::int8_blocks);

  /// `shard` and `whole` are f32, bf16 or f16; `shard` may lie in `whole`.
  void run(const void* shard, void* whole, const Shards& shards, DType dtype);
  /// In a stream's order it returns before it is done.
  void run(Order& order, const void* shard, void* whole, const Shards& shards, DType dtype);

  /// Bytes of encoded vectors that it has memory for.
  std::size_t room() const { return encoded_.bytes(); }

 private:
  Communicator& communicator_;
  codec::BlockFormat format_;
  Buffer encoded_;
};

}  // namespace trireme::comm
