#include "comm/traffic.h"

namespace trireme::comm {
namespace {

std::size_t elements_sent(const Call& call, int rank, int to, const Shards& pieces) {
  switch (call.kind) {
    case Call::Kind::all_gather:
      return call.shards.count(rank);
    case Call::Kind::reduce_scatter:
    case Call::Kind::all_to_all:
      return call.shards.count(to);
    case Call::Kind::all_reduce:
      return pieces.count(to) + pieces.count(rank);
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
  return Shards::cut(count, ranks, 128 / size_of(dtype));
}

Traffic direct_traffic(const Call& call, int rank, std::span<const int> node_of_member) {
  const int ranks = static_cast<int>(node_of_member.size());
  const Shards pieces = call.kind == Call::Kind::all_reduce ? all_reduce_pieces(call.count, call.dtype, ranks)
                                                            : Shards::even(0, ranks);
  const int here = node_of_member[static_cast<std::size_t>(rank)];
  Traffic traffic;
  for (int to = 0; to < ranks; ++to) {
    if (to == rank) continue;
    const std::uint64_t bytes = elements_sent(call, rank, to, pieces) * size_of(call.dtype);
    (node_of_member[static_cast<std::size_t>(to)] == here ? traffic.inside_node : traffic.across_nodes) +=
        bytes;
  }
  return traffic;
}

}  // namespace trireme::comm
