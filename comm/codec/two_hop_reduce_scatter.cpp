#include "comm/codec/two_hop_reduce_scatter.h"

#include <algorithm>

#include "comm/codec/codec.h"
#include "comm/device_world.h"
#include "comm/two_level/groups.h"
#include "comm/two_level/pipeline.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

constexpr std::size_t line = 64;
/// Beyond its numbers and whole blocks, an encoded segment has at most a last scale and padding.
constexpr std::size_t segment_slack = 16;

std::size_t whole_lines(std::size_t bytes) {
  return (bytes + line - 1) / line * line;
}

Shards encoded(const Shards& elements, const codec::BlockFormat& format) {
  std::vector<std::size_t> bytes;
  for (int part = 0; part < elements.ranks(); ++part) bytes.push_back(format.bytes(elements.count(part)));
  return Shards::of(std::move(bytes));
}

}  // namespace

struct TwoHopReduceScatter::Job {
  Order& order;
  const std::byte* whole;
  DType whole_type;
  std::byte* shard;
  DType shard_type;
  float divisor;
  ShardRounds rounds;
};

TwoHopReduceScatter::TwoHopReduceScatter(World& world, const Group& group, const CommunicatorOptions& options,
                                         const TwoHopOptions& two_hop)
    : layout_(group, world.node_of_rank()), index_(group.index_of(world.rank())), options_(two_hop) {
  require(index_ >= 0, "two-hop reduction {}: rank {} is not in its group", options.name, world.rank());
  codec::check(options_.inside, DType::f32);
  codec::check(options_.across, DType::f32);
  const auto part = [&](const char* name) {
    CommunicatorOptions named = options;
    named.name += name;
    return named;
  };
  inside_ = world.communicator(node_group(group, layout_, index_), "auto", part(".inside"));
  // One thread makes NCCL's calls, in one order: then they cannot wait for each other in circles.
  const bool one_by_one = inside_->backend() == "nccl";
  across_ =
      world.communicator(lane_group(group, layout_, index_), one_by_one ? "nccl" : "mpi", part(".across"));
  thread_order_ = std::make_unique<ThreadOrder>(codec::coder_of(*inside_), one_by_one);

  const auto lanes = static_cast<std::size_t>(layout_.lanes()),
             nodes = static_cast<std::size_t>(layout_.nodes());
  const auto ranks = static_cast<std::size_t>(layout_.ranks());
  round_elements_ = std::max(lanes * options_.lane_elements, ranks);
  const std::size_t lane_elements = round_elements_ / lanes + nodes + 1;
  const std::size_t first_hop = whole_lines(options_.inside.bytes(lane_elements) + nodes * segment_slack);
  const std::size_t second_hop = whole_lines(options_.across.bytes(lane_elements) + nodes * segment_slack);
  const std::size_t packed = whole_lines(round_elements_ * sizeof(float));
  const std::size_t part_bytes = whole_lines(lane_elements * sizeof(float));
  scratch_ = inside_->allocate(packed + (lanes + static_cast<std::size_t>(node_ranks())) * first_hop +
                               2 * (1 + nodes) * second_hop + part_bytes);
  const auto make_room = [](Communicator& communicator, std::size_t bytes) {
    if (auto* device = dynamic_cast<DeviceCommunicator*>(&communicator)) device->reserve(bytes);
  };
  make_room(*inside_, std::max({lanes * first_hop, static_cast<std::size_t>(node_ranks()) * first_hop,
                                part_bytes, packed}));
  make_room(*across_, nodes * second_hop);
  std::byte* at = scratch_.as<std::byte>();
  const auto take = [&](std::size_t bytes) { return std::exchange(at, at + bytes); };
  packed_ = take(packed);
  to_lanes_ = take(lanes * first_hop);
  from_ranks_ = take(static_cast<std::size_t>(node_ranks()) * first_hop);
  for (Slot& slot : slots_) slot = {take(second_hop), take(nodes * second_hop)};
  part_ = take(part_bytes);
}

TwoHopReduceScatter::~TwoHopReduceScatter() {
  across_->drain();
}

Traffic TwoHopReduceScatter::traffic() const {
  const Traffic inside = inside_->traffic(), across = across_->traffic();
  return {inside.inside_node + across.inside_node, inside.across_nodes + across.across_nodes};
}

std::size_t TwoHopReduceScatter::lane_bytes(const ShardRounds& rounds, int lane, int round) const {
  return lane < layout_.lanes() ? encoded(rounds.lane_load(lane, round), options_.inside).total() : 0;
}

void TwoHopReduceScatter::check() {
  for (Communicator* part : {inside_.get(), across_.get()})
    if (auto* device = dynamic_cast<DeviceCommunicator*>(part)) device->check();
}

void TwoHopReduceScatter::send_to_lanes(const Job& job, int round) {
  const codec::Coder& coder = job.order.coder();
  const std::size_t width = size_of(job.whole_type);
  struct Stretch {
    std::size_t in_whole, in_packed, count;
  };
  std::vector<Stretch> stretches;
  job.rounds.for_each_stretch(round, [&](std::size_t in_whole, std::size_t in_packed, std::size_t count) {
    stretches.push_back({in_whole, in_packed, count});
  });
  std::vector<std::size_t> sent(static_cast<std::size_t>(node_ranks()), 0);
  std::byte* to = to_lanes_;
  auto next = stretches.begin();
  for (int lane = 0; lane < layout_.lanes(); ++lane) {
    const Shards load = job.rounds.lane_load(lane, round);
    for (int segment = 0; segment < layout_.nodes(); ++segment) {
      const std::size_t count = load.count(segment);
      if (count == 0) continue;
      // Numbers that lie in one stretch are encoded where they are.
      const Stretch first = *next;
      for (std::size_t found = 0; found < count; found += (next++)->count)
        if (first.count < count)
          coder.copy(packed_ + next->in_packed * width, job.whole + next->in_whole * width,
                     next->count * width);
      const std::byte* from =
          first.count < count ? packed_ + first.in_packed * width : job.whole + first.in_whole * width;
      coder.encode(options_.inside, from, job.whole_type, count, to);
      to += options_.inside.bytes(count);
    }
    sent[static_cast<std::size_t>(lane)] = lane_bytes(job.rounds, lane, round);
  }
  job.order.call(
      *inside_,
      Call::all_to_all(to_lanes_, from_ranks_, Shards::of(std::move(sent)),
                       Shards::even(lane_bytes(job.rounds, local(), round), node_ranks()), DType::u8));
}

/// The first hop's end and the second's beginning.
void TwoHopReduceScatter::sum_node(const Job& job, int round) {
  if (!in_a_lane() || layout_.nodes() == 1) return;
  Slot& slot = slots_[round % 2];
  const Shards load = job.rounds.lane_load(local(), round);
  const Shards in = encoded(load, options_.inside), out = encoded(load, options_.across);
  for (int segment = 0; segment < layout_.nodes(); ++segment) {
    const codec::Parts parts{from_ranks_ + in.offset(segment), in.total(), node_ranks()};
    job.order.coder().recode_sum(options_.inside, parts, load.count(segment), options_.across,
                                 slot.to_nodes + out.offset(segment));
  }
  job.order.begin(*across_,
                  Call::all_to_all(slot.to_nodes, slot.from_nodes, out,
                                   Shards::even(out.count(node()), layout_.nodes()), DType::u8),
                  round % 2);
}

void TwoHopReduceScatter::sum_nodes(const Job& job, int round) {
  if (in_a_lane()) {
    const bool one_hop = layout_.nodes() == 1;
    const std::size_t mine = job.rounds.lane_parts(node(), round).count(local());
    const codec::BlockFormat& format = one_hop ? options_.inside : options_.across;
    const std::byte* from = one_hop ? from_ranks_ : slots_[round % 2].from_nodes;
    if (!one_hop) job.order.await(round % 2);
    const codec::Parts parts{from, format.bytes(mine), one_hop ? node_ranks() : layout_.nodes()};
    job.order.coder().decode_sum(format, parts, mine, job.divisor, part_, job.shard_type);
  }
  job.order.call(
      *inside_,
      Call::all_to_all(part_, job.shard + job.rounds.delivered(index_, round) * size_of(job.shard_type),
                       job.rounds.exchanged_by_lane(node(), local(), round),
                       job.rounds.exchanged(node(), local(), round), job.shard_type));
}

void TwoHopReduceScatter::run(const void* whole, DType whole_type, void* shard, DType shard_type,
                              const Shards& shards, Reduction reduction) {
  run(*thread_order_, whole, whole_type, shard, shard_type, shards, reduction);
}

void TwoHopReduceScatter::run(Order& order, const void* whole, DType whole_type, void* shard,
                              DType shard_type, const Shards& shards, Reduction reduction) {
  codec::check(options_.inside, whole_type);
  codec::check(options_.inside, shard_type);
  require(reduction != Reduction::max, "a quantised reduction sums; it cannot take the maximum");
  const Job job{order,
                static_cast<const std::byte*>(whole),
                whole_type,
                static_cast<std::byte*>(shard),
                shard_type,
                reduction == Reduction::mean ? static_cast<float>(layout_.ranks()) : 1.0f,
                ShardRounds(shards, layout_, round_elements_)};
  const auto first_hop = [&](int round) {
    send_to_lanes(job, round);
    sum_node(job, round);
  };
  const auto second_hop = [&](int round) { sum_nodes(job, round); };
  // With one hop, what arrived must be used before the next round overwrites it.
  if (layout_.nodes() > 1) return pipeline(job.rounds.count(), first_hop, second_hop);
  for (int round = 0; round < job.rounds.count(); ++round) first_hop(round), second_hop(round);
}

}  // namespace trireme::comm
