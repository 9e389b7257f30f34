#include <algorithm>

#include "comm/mpi/mpi_communicator.h"
#include "comm/simd/reduce.h"
#include "comm/traffic.h"

// Every rank sends each other rank what that one reduces; sums then run over the ranks in order, in fp32 for
// the half types.
namespace trireme::comm {
namespace {

/// Below this an all-reduce in one exchange, where every rank reduces everything, beats two exchanges.
constexpr std::size_t at_once_bytes = std::size_t{16} << 10;

}  // namespace

void MpiCommunicator::reduce_scatter(const Call& call) {
  std::vector<Stretch> reduced_by;
  for (int member = 0; member < size(); ++member)
    reduced_by.push_back({call.shards.offset(member), call.shards.count(member)});
  exchange_and_reduce(call, reduced_by);
}

void MpiCommunicator::exchange_and_reduce(const Call& call, const std::vector<Stretch>& reduced_by) {
  const auto stretch = [&](int member) { return reduced_by[static_cast<std::size_t>(member)]; };
  const std::size_t width = size_of(call.dtype), others = static_cast<std::size_t>(size() - 1);
  const std::size_t mine = stretch(rank()).count;
  const auto* in = static_cast<const std::byte*>(call.in);
  const std::byte* own = in + stretch(rank()).offset * width;
  auto* out = static_cast<std::byte*>(call.out);
  if (others == 0) {
    const void* alone[] = {own};
    return simd::reduce(alone, out, mine, call.dtype, call.reduction);
  }
  const std::size_t block = block_of(width, std::min(limits_.scratch_bytes / 2, limits_.turn_bytes));
  std::size_t largest = 0;
  for (int member = 0; member < size(); ++member) largest = std::max(largest, stretch(member).count);
  const std::size_t held = std::min(block, largest);
  scratch_.resize(std::max(scratch_.size(), 2 * others * held * width));

  const auto landing = [&](std::size_t done, int from) {
    const std::size_t seat = static_cast<std::size_t>(from < rank() ? from : from - 1);
    return std::span(scratch_.data() + ((done / block & 1) * others + seat) * held * width,
                     Stretch{0, mine}.part(done, block).count * width);
  };
  exchange(call, {.longest = largest,
                  .block = block,
                  .landing = landing,
                  .leaving =
                      [&](std::size_t done, int to) {
                        const Stretch part = stretch(to).part(done, block);
                        return std::span(in + part.offset * width, part.count * width);
                      },
                  .besides = [] {},
                  .landed =
                      [&](std::size_t done) {
                        std::vector<const void*> sources;
                        for (int from = 0; from < size(); ++from)
                          sources.push_back(from == rank() ? own + done * width : landing(done, from).data());
                        simd::reduce(sources, out + done * width, Stretch{0, mine}.part(done, block).count,
                                     call.dtype, call.reduction);
                      }});
}

void MpiCommunicator::all_reduce_at_once(const Call& call) {
  const std::size_t bytes = call.count * size_of(call.dtype);
  scratch_.resize(std::max(scratch_.size(), static_cast<std::size_t>(size()) * bytes));
  Transfers exchange = transfers();
  std::vector<const void*> sources;
  for (int other = 0; other < size(); ++other) {
    std::byte* landing = scratch_.data() + static_cast<std::size_t>(other) * bytes;
    sources.push_back(other == rank() ? call.in : landing);
    if (other == rank()) continue;
    exchange.receive(landing, bytes, other);
    exchange.send(call.in, bytes, other);
  }
  finish(exchange, call);
  simd::reduce(sources, call.out, call.count, call.dtype, call.reduction);
}

void MpiCommunicator::all_reduce(const Call& call) {
  const std::size_t width = size_of(call.dtype);
  if (call.count * width * static_cast<std::size_t>(size() - 1) <= at_once_bytes && size() <= 2)
    return all_reduce_at_once(call);
  // Two ranks swap whole vectors: the same bytes as two half steps, without a wait between them.
  if (size() == 2) return exchange_and_reduce(call, {{0, call.count}, {0, call.count}});
  const Shards pieces = all_reduce_pieces(call.count, call.dtype, size());
  std::byte* own = static_cast<std::byte*>(call.out) + pieces.offset(rank()) * width;
  reduce_scatter(Call::reduce_scatter(call.in, own, pieces, call.dtype, call.reduction));
  all_gather(Call::all_gather(own, call.out, pieces, call.dtype));
}

}  // namespace trireme::comm
