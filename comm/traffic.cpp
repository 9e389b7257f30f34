#include "comm/traffic.h"

#include <algorithm>

namespace trireme::comm {
namespace {

constexpr std::size_t granule_of(DType dtype) {
  return 128 / size_of(dtype);
}

std::size_t piece(const Call& call, int ranks, int rank) {
  const std::size_t granule = granule_of(call.dtype), n = static_cast<std::size_t>(ranks);
  const std::size_t each = ((call.count + granule - 1) / granule + n - 1) / n * granule;
  const std::size_t first = std::min(each * static_cast<std::size_t>(rank), call.count);
  return std::min(each, call.count - first);
}

std::size_t elements_sent(const Call& call, int ranks, int rank, int to) {
  switch (call.kind) {
    case Call::Kind::all_gather:
      return call.shards.count(rank);
    case Call::Kind::reduce_scatter:
    case Call::Kind::all_to_all:
      return call.shards.count(to);
    case Call::Kind::all_reduce:
      return piece(call, ranks, to) + piece(call, ranks, rank);
    case Call::Kind::broadcast:
      return rank == call.peer ? call.count : 0;
    case Call::Kind::send:
      return to == call.peer ? call.count : 0;
    case Call::Kind::receive:
    case Call::Kind::barrier:
      return 0;
  }
  return 0;
}

}  // namespace

Shards all_reduce_pieces(std::size_t count, DType dtype, int ranks) {
  return Shards::cut(count, ranks, granule_of(dtype));
}

Traffic direct_traffic(const Call& call, int rank, std::span<const int> node_of_member) {
  const int ranks = static_cast<int>(node_of_member.size());
  const int here = node_of_member[static_cast<std::size_t>(rank)];
  Traffic traffic;
  for (int to = 0; to < ranks; ++to) {
    if (to == rank) continue;
    const std::uint64_t bytes = elements_sent(call, ranks, rank, to) * size_of(call.dtype);
    (node_of_member[static_cast<std::size_t>(to)] == here ? traffic.inside_node : traffic.across_nodes) +=
        bytes;
  }
  return traffic;
}

}  // namespace trireme::comm
