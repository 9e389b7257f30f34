#include "comm/two_level/shard_rounds.h"

#include <algorithm>

namespace trireme::comm {
namespace {

/// Elements before position `at` of every shard.
std::size_t elements_before(const Shards& shards, std::size_t at) {
  if (shards.uniform()) return static_cast<std::size_t>(shards.ranks()) * std::min(at, shards.count(0));
  std::size_t sum = 0;
  for (int index = 0; index < shards.ranks(); ++index) sum += std::min(at, shards.count(index));
  return sum;
}

std::vector<std::size_t> round_starts(const Shards& shards, std::size_t budget) {
  std::size_t longest = 0;
  for (int index = 0; index < shards.ranks(); ++index) longest = std::max(longest, shards.count(index));
  std::vector<std::size_t> starts{0};
  while (starts.back() < longest) {
    const std::size_t done = elements_before(shards, starts.back());
    std::size_t fits = starts.back() + 1, too_far = longest + 1;
    while (fits + 1 < too_far) {
      const std::size_t middle = fits + (too_far - fits) / 2;
      (elements_before(shards, middle) - done <= budget ? fits : too_far) = middle;
    }
    starts.push_back(fits);
  }
  return starts;
}

}  // namespace

ShardRounds::ShardRounds(const Shards& shards, const NodeLayout& layout, std::size_t budget)
    : shards_(shards), layout_(layout), starts_(round_starts(shards, budget)) {}

std::size_t ShardRounds::piece(int index, int round) const {
  const std::size_t have = shards_.count(index);
  return std::min(have, start(round + 1)) - std::min(have, start(round));
}

std::size_t ShardRounds::row(int node, int round) const {
  std::size_t sum = 0;
  for (const int index : layout_.members(node)) sum += piece(index, round);
  return sum;
}

std::size_t ShardRounds::round_total(int round) const {
  return elements_before(shards_, start(round + 1)) - elements_before(shards_, start(round));
}

Shards ShardRounds::lane_parts(int node, int round) const {
  return Shards::cut(row(node, round), layout_.lanes());
}

Shards ShardRounds::lane_load(int lane, int round) const {
  std::vector<std::size_t> load;
  for (int node = 0; node < layout_.nodes(); ++node) load.push_back(lane_parts(node, round).count(lane));
  return Shards::of(std::move(load));
}

Shards ShardRounds::lane_loads(int node, int round) const {
  std::vector<std::size_t> loads(layout_.members(node).size(), 0);
  for (int from = 0; from < layout_.nodes(); ++from) {
    const Shards parts = lane_parts(from, round);
    for (int lane = 0; lane < layout_.lanes(); ++lane)
      loads[static_cast<std::size_t>(lane)] += parts.count(lane);
  }
  return Shards::of(std::move(loads));
}

std::size_t ShardRounds::overlap(int node, int local, int lane, int round) const {
  const Shards parts = lane_parts(node, round);
  const auto& members = layout_.members(node);
  std::size_t row_at = 0;
  for (int before = 0; before < local; ++before)
    row_at += piece(members[static_cast<std::size_t>(before)], round);
  const std::size_t row_end = row_at + piece(members[static_cast<std::size_t>(local)], round);
  const std::size_t from = std::max(row_at, parts.offset(lane));
  const std::size_t to = std::min(row_end, parts.offset(lane) + parts.count(lane));
  return from < to ? to - from : 0;
}

Shards ShardRounds::exchanged(int node, int local, int round) const {
  std::vector<std::size_t> counts(layout_.members(node).size(), 0);
  for (int lane = 0; lane < layout_.lanes(); ++lane)
    counts[static_cast<std::size_t>(lane)] = overlap(node, local, lane, round);
  return Shards::of(std::move(counts));
}

Shards ShardRounds::exchanged_by_lane(int node, int lane, int round) const {
  std::vector<std::size_t> counts(layout_.members(node).size(), 0);
  if (lane < layout_.lanes())
    for (std::size_t local = 0; local < counts.size(); ++local)
      counts[local] = overlap(node, static_cast<int>(local), lane, round);
  return Shards::of(std::move(counts));
}

}  // namespace trireme::comm
