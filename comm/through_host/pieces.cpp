#include "comm/through_host/pieces.h"

#include <algorithm>

namespace trireme::comm {
namespace {

std::byte* at(const void* data, std::size_t elements, DType dtype) {
  return static_cast<std::byte*>(const_cast<void*>(data)) + elements * size_of(dtype);
}

/// One range a shard, one after the other on the host, of elements [done, done + step) of each shard.
std::vector<StagedRange> of_each_shard(const void* data, const Shards& whole, const Shards& part,
                                       std::size_t done, DType dtype) {
  std::vector<StagedRange> ranges;
  for (int member = 0; member < whole.ranks(); ++member)
    if (part.count(member) > 0)
      ranges.push_back({at(data, whole.offset(member) + done, dtype), part.offset(member) * size_of(dtype),
                        part.count(member) * size_of(dtype)});
  return ranges;
}

std::vector<StagedRange> one(const void* data, std::size_t first, std::size_t count, DType dtype) {
  if (!data || count == 0) return {};
  return {{at(data, first, dtype), 0, count * size_of(dtype)}};
}

std::size_t bytes_of(const std::vector<StagedRange>& ranges) {
  return ranges.empty() ? 0 : ranges.back().stage + ranges.back().bytes;
}

Piece finished(Piece piece) {
  piece.call.in = nullptr, piece.call.out = nullptr;
  piece.in_bytes = bytes_of(piece.in), piece.out_bytes = bytes_of(piece.out);
  return piece;
}

std::vector<Piece> pieces_of_shards(const Call& call, int rank, std::size_t most_bytes) {
  const bool gathers = call.kind == Call::Kind::all_gather;
  const std::size_t step = std::max<std::size_t>(
      most_bytes / size_of(call.dtype) / static_cast<std::size_t>(call.shards.ranks()), 1);
  std::size_t largest = 0;
  for (int member = 0; member < call.shards.ranks(); ++member)
    largest = std::max(largest, call.shards.count(member));
  std::vector<Piece> pieces;
  std::size_t done = 0;
  do {
    std::vector<std::size_t> counts;
    for (int member = 0; member < call.shards.ranks(); ++member)
      counts.push_back(std::min(step, call.shards.count(member) - std::min(done, call.shards.count(member))));
    Piece piece;
    piece.call = call;
    piece.call.shards = Shards::of(counts);
    auto whole =
        of_each_shard(gathers ? call.out : call.in, call.shards, piece.call.shards, done, call.dtype);
    auto own = one(gathers ? call.in : call.out, done, counts[static_cast<std::size_t>(rank)], call.dtype);
    piece.in = gathers ? own : whole, piece.out = gathers ? std::move(whole) : std::move(own);
    pieces.push_back(finished(std::move(piece)));
    done += step;
  } while (done < largest);
  return pieces;
}

std::vector<Piece> pieces_of_elements(const Call& call, int rank, std::size_t most_bytes) {
  const bool broadcasts = call.kind == Call::Kind::broadcast, gives = rank == call.peer;
  const void* in = broadcasts && !gives ? nullptr : call.in;
  const void* out = broadcasts && gives ? nullptr : call.out;
  const std::size_t step = std::max<std::size_t>(most_bytes / size_of(call.dtype), 1);
  std::vector<Piece> pieces;
  std::size_t done = 0;
  do {
    const std::size_t count = std::min(step, call.count - done);
    Piece piece{call, one(in, done, count, call.dtype), one(out, done, count, call.dtype), 0, 0};
    piece.call.count = count;
    pieces.push_back(finished(std::move(piece)));
    done += step;
  } while (done < call.count);
  return pieces;
}

}  // namespace

std::vector<Piece> pieces_of(const Call& call, int rank, std::size_t most_bytes) {
  switch (call.kind) {
    case Call::Kind::all_gather:
    case Call::Kind::reduce_scatter:
      return pieces_of_shards(call, rank, most_bytes);
    case Call::Kind::all_reduce:
    case Call::Kind::broadcast:
    case Call::Kind::send:
    case Call::Kind::receive:
      return pieces_of_elements(call, rank, most_bytes);
    case Call::Kind::all_to_all:
      return {finished({call, one(call.in, 0, call.shards.total(), call.dtype),
                        one(call.out, 0, call.received.total(), call.dtype), 0, 0})};
    case Call::Kind::barrier:
      return {finished({call, {}, {}, 0, 0})};
  }
  return {};
}

}  // namespace trireme::comm
