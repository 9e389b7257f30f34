#include "sharding/predict/traffic.h"

#include <algorithm>

#include "comm/traffic.h"
#include "sharding/partition.h"

namespace trireme::sharding {
namespace {

/// Norm, loss and failures travel together.
constexpr std::size_t norm_numbers = 3;

void add(comm::Traffic& sum, const comm::Traffic& more) {
  sum.inside_node += more.inside_node;
  sum.across_nodes += more.across_nodes;
}

/// The same call that the executor makes, without its memory.
comm::Call call_of(const Op& op, int ranks) {
  using comm::Call, comm::Shards;
  constexpr auto sum = comm::Reduction::sum;
  if (op.kind == OpKind::norm) return Call::all_reduce(nullptr, nullptr, norm_numbers, DType::f64, sum);
  if (op.route == Route::replicas)
    return Call::all_reduce(nullptr, nullptr, op.bytes / sizeof(float), DType::f32, sum);
  const Shards shards = Shards::even(op.bytes / static_cast<std::uint64_t>(ranks), ranks);
  if (op.kind == OpKind::reduce) return Call::reduce_scatter(nullptr, nullptr, shards, DType::u8, sum);
  return Call::all_gather(nullptr, nullptr, shards, DType::u8);
}

}  // namespace

Reach reach_of(const Circle& circle, int ranks_per_node) {
  const int near = std::min(circle.outer(), ranks_per_node);
  return {circle.outer() / circle.inner(), (near + circle.inner() - 1) / circle.inner()};
}

TrafficCounter::TrafficCounter(const Schedule& schedule, int position,
                               const std::vector<int>& node_of_position)
    : schedule_(schedule) {
  const auto node_of = [&](int rank) { return node_of_position[static_cast<std::size_t>(rank)]; };
  for (const Circle& circle : schedule.circles) {
    const Partition partition(schedule.facts.world, circle.spans);
    const comm::Group group = partition.between(position, circle.inner(), circle.outer());
    Members members;
    for (const int rank : group.ranks) members.nodes.push_back(node_of(rank));
    members.reach.ranks = group.size();
    members.reach.beside =
        static_cast<int>(std::count(members.nodes.begin(), members.nodes.end(), node_of(position)));
    members.place =
        static_cast<int>(std::find(group.ranks.begin(), group.ranks.end(), position) - group.ranks.begin());
    circles_.push_back(std::move(members));
  }
}

comm::Traffic TrafficCounter::of(const Op& op) const {
  if (op.communicator < 0) return {};
  const Members& members = circles_[static_cast<std::size_t>(op.communicator)];
  return comm::direct_traffic(call_of(op, members.reach.ranks), members.place, members.nodes);
}

comm::Traffic TrafficCounter::total() const {
  comm::Traffic sum;
  for (const Op& op : schedule_.ops) add(sum, of(op));
  return sum;
}

comm::Traffic TrafficCounter::publishing() const {
  comm::Traffic sum;
  for (const Op& op : schedule_.ops)
    if (op.kind == OpKind::gather && op.route == Route::refresh) add(sum, of(op));
  return sum;
}

std::vector<int> even_nodes(int world, int ranks_per_node) {
  std::vector<int> nodes(static_cast<std::size_t>(world));
  for (int rank = 0; rank < world; ++rank) nodes[static_cast<std::size_t>(rank)] = rank / ranks_per_node;
  return nodes;
}

}  // namespace trireme::sharding
