#include "sharding/predict/traffic.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/traffic.h"
#include "comm/two_level/shard_rounds.h"
#include "comm/two_level/traffic.h"
#include "sharding/partition.h"
#include "sharding/wires.h"

namespace trireme::sharding {
namespace {

/// Norm, loss and failures travel together.
constexpr std::size_t norm_numbers = 3;

void add(comm::Traffic& sum, const comm::Traffic& more) {
  sum.inside_node += more.inside_node;
  sum.across_nodes += more.across_nodes;
}

bool in_two_hops(Wire wire) {
  return wire == Wire::int8_two_hop || wire == Wire::int4_two_hop;
}

/// The same call that the executor's channel makes, without its memory.
comm::Call call_of(const Op& op, Wire wire, int ranks) {
  using comm::Call, comm::Shards;
  constexpr auto sum = comm::Reduction::sum;
  if (op.kind == OpKind::norm) return Call::all_reduce(nullptr, nullptr, norm_numbers, DType::f64, sum);
  if (op.route == Route::replicas) {
    const DType dtype = wire == Wire::bf16 ? DType::bf16 : DType::f32;
    return Call::all_reduce(nullptr, nullptr, op.bytes / size_of(dtype), dtype, sum);
  }
  const Shards shards = Shards::even(op.bytes / static_cast<std::uint64_t>(ranks), ranks);
  if (op.kind == OpKind::reduce) return Call::reduce_scatter(nullptr, nullptr, shards, DType::u8, sum);
  return Call::all_gather(nullptr, nullptr, shards, DType::u8);
}

/// Elements to everybody but oneself.
std::uint64_t to_others(const comm::Shards& sent, int self) {
  return sent.total() - sent.count(self);
}

comm::NodeLayout layout_of(const std::vector<int>& node_of_member) {
  comm::Group group;
  for (int member = 0; member < static_cast<int>(node_of_member.size()); ++member)
    group.ranks.push_back(member);
  return {group, node_of_member};
}

/// A two-hop reduction: encoded parts to the lanes of the node, encoded sums between nodes, sums to the
/// ranks.
comm::Traffic two_hops(std::uint64_t elements, Wire wire, const std::vector<int>& node_of_member, int place) {
  comm::TwoHopOptions options;
  if (wire == Wire::int8_two_hop) options.inside = options.across = comm::codec::int8_blocks;
  const comm::NodeLayout layout = layout_of(node_of_member);
  const auto lanes = static_cast<std::size_t>(layout.lanes()),
             ranks = static_cast<std::size_t>(layout.ranks());
  const comm::Shards shards = comm::Shards::even(elements / ranks, layout.ranks());
  const comm::ShardRounds rounds(shards, layout, std::max(lanes * options.lane_elements, ranks));
  const int node = layout.node_of(place), local = layout.local_of(place);
  comm::Traffic traffic;
  for (int round = 0; round < rounds.count(); ++round) {
    for (int lane = 0; lane < layout.lanes(); ++lane) {
      if (lane == local) continue;
      const comm::Shards load = rounds.lane_load(lane, round);
      for (int segment = 0; segment < layout.nodes(); ++segment)
        traffic.inside_node += options.inside.bytes(load.count(segment));
    }
    if (!layout.in_a_lane(place)) continue;
    const comm::Shards load = rounds.lane_load(local, round);
    for (int segment = 0; segment < layout.nodes(); ++segment)
      if (segment != node) traffic.across_nodes += options.across.bytes(load.count(segment));
    traffic.inside_node += to_others(rounds.exchanged_by_lane(node, local, round), local) * sizeof(float);
  }
  return traffic;
}

}  // namespace

Reach reach_of(const Circle& circle, int ranks_per_node) {
  const int near = std::min(circle.outer(), ranks_per_node);
  return {circle.outer() / circle.inner(), (near + circle.inner() - 1) / circle.inner()};
}

TrafficCounter::TrafficCounter(const Schedule& schedule, int position,
                               const std::vector<int>& node_of_position, AcrossNodes across)
    : schedule_(schedule), across_(across) {
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
    members.several_beside =
        std::set<int>(members.nodes.begin(), members.nodes.end()).size() < members.nodes.size();
    circles_.push_back(std::move(members));
  }
}

comm::Traffic TrafficCounter::of(const Op& op) const {
  if (op.communicator < 0) return {};
  const Members& members = circles_[static_cast<std::size_t>(op.communicator)];
  const Wire wire = schedule_.circles[static_cast<std::size_t>(op.communicator)].wire;
  if (op.kind == OpKind::reduce && in_two_hops(wire))
    return two_hops(elements_moved(schedule_.facts.groups[static_cast<std::size_t>(op.target)], op), wire,
                    members.nodes, members.place);
  const comm::Call call = call_of(op, wire, members.reach.ranks);
  if (across_ == AcrossNodes::direct || members.reach.inside_node() || !members.several_beside)
    return comm::direct_traffic(call, members.place, members.nodes);
  return comm::two_level_traffic(call, members.place, layout_of(members.nodes));
}

comm::Traffic TrafficCounter::total() const {
  // Groups of the same size send the same, and on thousands of ranks counting a two-hop reduction takes a
  // while.
  std::map<std::tuple<OpKind, Route, int, std::uint64_t, std::uint64_t>, comm::Traffic> counted;
  comm::Traffic sum;
  for (const Op& op : schedule_.ops) {
    if (op.communicator < 0) continue;
    const std::uint64_t elements =
        op.target < 0 ? 0 : schedule_.facts.groups[static_cast<std::size_t>(op.target)].elements;
    const auto [entry, first] = counted.try_emplace({op.kind, op.route, op.communicator, op.bytes, elements});
    if (first) entry->second = of(op);
    add(sum, entry->second);
  }
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
