#include "cuda/nccl_traffic.h"

namespace trireme::cuda {

using comm::Call;
using comm::Shards;
using comm::Traffic;

namespace {

struct Ring {
  int rank, size;
  int next() const { return (rank + 1) % size; }
  /// A shard goes all the way round but for the step back to where it began.
  std::size_t gathered(const Shards& shards) const { return shards.total() - shards.count(next()); }
  std::size_t reduced(const Shards& shards) const { return shards.total() - shards.count(rank); }
};

}  // namespace

Traffic ring_traffic(const Call& call, int rank, const std::vector<int>& node_of_member) {
  const Ring ring{rank, static_cast<int>(node_of_member.size())};
  Traffic traffic;
  if (ring.size == 1) return traffic;
  const auto add = [&](int to, std::size_t elements) {
    const bool near =
        node_of_member[static_cast<std::size_t>(to)] == node_of_member[static_cast<std::size_t>(rank)];
    (near ? traffic.inside_node : traffic.across_nodes) += elements * size_of(call.dtype);
  };
  switch (call.kind) {
    case Call::Kind::all_gather:
      add(ring.next(), ring.gathered(call.shards));
      break;
    case Call::Kind::reduce_scatter:
      add(ring.next(), ring.reduced(call.shards));
      break;
    case Call::Kind::all_reduce: {
      const Shards shards = Shards::cut(call.count, ring.size);
      add(ring.next(), ring.reduced(shards) + ring.gathered(shards));
      break;
    }
    case Call::Kind::broadcast:
      add(ring.next(), ring.next() == call.peer ? 0 : call.count);
      break;
    case Call::Kind::all_to_all:
      for (int to = 0; to < ring.size; ++to)
        if (to != rank) add(to, call.shards.count(to));
      break;
    case Call::Kind::send:
      add(call.peer, call.count);
      break;
    case Call::Kind::receive:
    case Call::Kind::barrier:
      break;
  }
  return traffic;
}

}  // namespace trireme::cuda
