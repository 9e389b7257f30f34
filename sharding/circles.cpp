#include "sharding/circles.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sharding/partition.h"
#include "sharding/wires.h"

namespace trireme::sharding {

Standing::Standing(const comm::World& world) : rank_at_(static_cast<std::size_t>(world.size())) {
  const auto& node_of_rank = world.node_of_rank();
  std::iota(rank_at_.begin(), rank_at_.end(), 0);
  std::stable_sort(rank_at_.begin(), rank_at_.end(), [&](int a, int b) {
    return node_of_rank[static_cast<std::size_t>(a)] < node_of_rank[static_cast<std::size_t>(b)];
  });
  position_ = static_cast<int>(std::find(rank_at_.begin(), rank_at_.end(), world.rank()) - rank_at_.begin());
  std::map<int, int> ranks_of_node;
  for (const int node : node_of_rank) ++ranks_of_node[node];
  const int each = ranks_of_node.begin()->second;
  const bool uniform = std::all_of(ranks_of_node.begin(), ranks_of_node.end(),
                                   [&](const auto& node) { return node.second == each; });
  extent_ = {world.size(), uniform ? each : 1};
}

comm::Group Standing::ranks_at(const comm::Group& positions) const {
  comm::Group group;
  for (const int position : positions.ranks)
    group.ranks.push_back(rank_at_[static_cast<std::size_t>(position)]);
  return group;
}

int ranks_beside(const comm::World& world) {
  const auto& nodes = world.node_of_rank();
  return static_cast<int>(
      std::count(nodes.begin(), nodes.end(), nodes[static_cast<std::size_t>(world.rank())]));
}

bool lanes_share_cores(const comm::World& world, int computing_threads) {
  return world.cores() < ranks_beside(world) * (computing_threads + 1);
}

Channel& Circles::find_or_make(const Circle& circle) {
  for (const Made& made : made_)
    if (made.circle == circle) return *made.channel;
  const Partition partition(standing_.extent().world, circle.spans);
  const comm::Group group =
      standing_.ranks_at(partition.between(standing_.position(), circle.inner(), circle.outer()));
  comm::CommunicatorOptions options;
  options.name = fmt::format("{} {}", name_of(circle.lane), fmt::join(circle.spans, "-"));
  options.gives_way = give_way_;
  made_.push_back({circle, std::make_unique<Channel>(circle.lane == OpLane::cpu_update ? hosts_ : world_,
                                                     group, circle.wire, options)});
  return *made_.back().channel;
}

std::vector<Channel*> Circles::of(const Schedule& schedule) {
  std::vector<Channel*> channels;
  for (const Circle& circle : schedule.circles) channels.push_back(&find_or_make(circle));
  const std::vector<std::uint64_t> longest = longest_moved(schedule);
  for (std::size_t i = 0; i < channels.size(); ++i) channels[i]->reserve(longest[i]);
  return channels;
}

std::size_t Circles::room() const {
  std::size_t bytes = 0;
  for (const Made& made : made_) bytes += made.channel->room();
  return bytes;
}

comm::Traffic Circles::traffic() const {
  comm::Traffic total;
  for (const Made& made : made_) {
    const comm::Traffic traffic = made.channel->traffic();
    total.inside_node += traffic.inside_node;
    total.across_nodes += traffic.across_nodes;
  }
  return total;
}

}  // namespace trireme::sharding
