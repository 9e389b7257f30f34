#include "comm/codec/quantised_all_gather.h"

#include <vector>

#include "comm/codec/coder.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

Shards encoded_shards(const Shards& shards, const codec::BlockFormat& format) {
  std::vector<std::size_t> bytes;
  for (int rank = 0; rank < shards.ranks(); ++rank) bytes.push_back(format.bytes(shards.count(rank)));
  return Shards::of(std::move(bytes));
}

}  // namespace

QuantisedAllGather::QuantisedAllGather(Communicator& communicator, const Shards& largest,
                                       const codec::BlockFormat& format)
    : communicator_(communicator),
      format_(format),
      encoded_(communicator.allocate(encoded_shards(largest, format).total())) {}

void QuantisedAllGather::run(const void* shard, void* whole, const Shards& shards, DType dtype) {
  ThreadOrder order(codec::coder_of(communicator_));
  run(order, shard, whole, shards, dtype);
  order.coder().finish();
}

void QuantisedAllGather::run(Order& order, const void* shard, void* whole, const Shards& shards,
                             DType dtype) {
  const Shards bytes = encoded_shards(shards, format_);
  require(bytes.total() <= encoded_.bytes(), "a quantised all-gather of {} bytes has memory for {}",
          bytes.total(), encoded_.bytes());
  const int mine = communicator_.rank();
  auto* encoded = encoded_.as<std::byte>();
  order.coder().encode(format_, shard, dtype, shards.count(mine), encoded + bytes.offset(mine));
  order.call(communicator_, Call::all_gather(encoded + bytes.offset(mine), encoded, bytes, DType::u8));
  for (int rank = 0; rank < shards.ranks(); ++rank)
    order.coder().decode_sum(format_, {encoded + bytes.offset(rank)}, shards.count(rank), 1.0f,
                             static_cast<std::byte*>(whole) + shards.offset(rank) * size_of(dtype), dtype);
}

}  // namespace trireme::comm
