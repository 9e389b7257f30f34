#include "comm/two_level/two_level_communicator.h"

#include <algorithm>
#include <utility>

#include "comm/two_level/groups.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr std::size_t line = 64;
constexpr std::size_t page = 4096;
constexpr std::size_t largest_element = 8;
constexpr std::size_t rounds_to_overlap = 8;

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + line - 1) / line * line;
}

/// The outer communicator is the one that is watched and named in errors.
CommunicatorOptions part_options(CommunicatorOptions options, const char* part) {
  options.name += part;
  options.observer = nullptr;
  return options;
}

}  // namespace

std::size_t round_bytes(const TwoLevelOptions& options, const NodeLayout& layout, std::size_t bytes) {
  const auto lanes = static_cast<std::size_t>(layout.lanes());
  const auto ranks = static_cast<std::size_t>(layout.ranks());
  const std::size_t wanted = (bytes / (lanes * rounds_to_overlap) + page - 1) / page * page;
  const std::size_t least = std::min(options.least_lane_bytes, options.lane_bytes);
  return std::max(lanes * std::clamp(wanted, least, options.lane_bytes), ranks * largest_element);
}

TwoLevelCommunicator::TwoLevelCommunicator(World& world, const Group& group, CommunicatorOptions options,
                                           const TwoLevelOptions& two_level)
    : Communicator(group, world.rank(), std::move(options)),
      layout_(group, world.node_of_rank()),
      two_level_(two_level) {
  const CommunicatorOptions& mine = this->options();
  inside_ =
      world.communicator(node_group(group, layout_, rank()), two_level.inside, part_options(mine, ".inside"));
  across_ =
      world.communicator(lane_group(group, layout_, rank()), two_level.across, part_options(mine, ".across"));
  flat_ = world.communicator(group, two_level.flat, part_options(mine, ".flat"));

  const auto lanes = static_cast<std::size_t>(layout_.lanes());
  const auto nodes = static_cast<std::size_t>(layout_.nodes());
  const auto ranks = static_cast<std::size_t>(layout_.ranks());
  const bool needed = layout_.nodes() > 1;
  const std::size_t longest_round = std::max(lanes * two_level.lane_bytes, ranks * largest_element);
  // Each cut may round up by a line for every node and lane.
  const std::size_t slice = needed ? whole_lines(longest_round / lanes) + (nodes + 1) * line : line;
  const std::size_t packed = needed ? longest_round + ranks * line : line;
  scratch_ = inside_->allocate(slot_count * 3 * slice + packed);
  std::byte* at = scratch_.as<std::byte>();
  for (Slot& each : slots_) {
    each = {at, at + slice};
    at += 3 * slice;
  }
  packed_ = at;
}

TwoLevelCommunicator::~TwoLevelCommunicator() {
  lane_.drain();
  across_->drain();
}

Event TwoLevelCommunicator::send_across(Call call, bool alone) {
  const std::size_t kept = call.shards.count(node());
  const std::size_t elements = call.kind == Call::Kind::all_gather
                                   ? kept * static_cast<std::size_t>(layout_.nodes() - 1)
                                   : call.shards.total() - kept;
  count_traffic(0, elements * size_of(call.dtype));
  if (!alone) return across_->post(std::move(call));
  across_->run(call);
  return Event::already_set();
}

void TwoLevelCommunicator::execute(const Call& call) {
  const Traffic inside_before = inside_->traffic(), flat_before = flat_->traffic();
  const bool one_node = layout_.nodes() == 1;
  switch (call.kind) {
    case Call::Kind::all_reduce:
      one_node ? inside_->run(call) : all_reduce_by_levels(call);
      break;
    case Call::Kind::reduce_scatter:
      one_node ? inside_->run(call) : reduce_scatter_by_levels(call);
      break;
    case Call::Kind::all_gather:
      one_node ? inside_->run(call) : all_gather_by_levels(call);
      break;
    default:
      one_node ? inside_->run(call) : flat_->run(call);
  }
  const Traffic inside_now = inside_->traffic(), flat_now = flat_->traffic();
  count_traffic(
      inside_now.inside_node - inside_before.inside_node + flat_now.inside_node - flat_before.inside_node,
      flat_now.across_nodes - flat_before.across_nodes);
}

}  // namespace trireme::comm
