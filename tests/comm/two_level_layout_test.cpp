#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "comm/two_level/layout.h"
#include "comm/two_level/pipeline.h"
#include "comm/two_level/shard_rounds.h"

namespace trireme::comm {
namespace {

struct Case {
  Group group;
  std::vector<int> node_of_rank;
};

Case random_case(std::mt19937& random) {
  const int world = 1 + static_cast<int>(random() % 12), nodes = 1 + static_cast<int>(random() % 4);
  Case made;
  for (int rank = 0; rank < world; ++rank)
    made.node_of_rank.push_back(static_cast<int>(random()) & 0x7fffffff);
  for (int& node : made.node_of_rank) node %= nodes;
  std::vector<int> ranks(static_cast<std::size_t>(world));
  std::iota(ranks.begin(), ranks.end(), 0);
  std::shuffle(ranks.begin(), ranks.end(), random);
  ranks.resize(1 + random() % ranks.size());
  made.group.ranks = ranks;
  return made;
}

Shards random_shards(std::mt19937& random, int ranks) {
  if (random() % 3 == 0) return Shards::even(random() % 50, ranks);
  std::vector<std::size_t> counts(static_cast<std::size_t>(ranks));
  for (auto& count : counts) count = random() % 4 == 0 ? 0 : random() % 60;
  return Shards::of(counts);
}

TEST(NodeLayout, KeepsGroupOrderWhenRanksOfANodeAreNotAdjacent) {
  const NodeLayout layout(Group{{5, 0, 3, 1, 4}}, {0, 0, 1, 1, 2, 2});
  ASSERT_EQ(layout.nodes(), 3);
  EXPECT_EQ(layout.members(0), (std::vector<int>{0, 4}));
  EXPECT_EQ(layout.members(1), (std::vector<int>{1, 3}));
  EXPECT_EQ(layout.members(2), (std::vector<int>{2}));
  EXPECT_EQ(layout.lanes(), 1);
  EXPECT_TRUE(layout.in_a_lane(2));
  EXPECT_FALSE(layout.in_a_lane(3));
}

TEST(NodeLayout, EveryRankHasOnePlace) {
  std::mt19937 random(1);
  for (int trial = 0; trial < 2000; ++trial) {
    const Case drawn = random_case(random);
    const NodeLayout layout(drawn.group, drawn.node_of_rank);
    int members = 0;
    for (int node = 0; node < layout.nodes(); ++node) {
      members += static_cast<int>(layout.members(node).size());
      ASSERT_GE(layout.members(node).size(), static_cast<std::size_t>(layout.lanes()));
      ASSERT_TRUE(std::is_sorted(layout.members(node).begin(), layout.members(node).end()));
    }
    ASSERT_EQ(members, drawn.group.size());
    for (int index = 0; index < layout.ranks(); ++index)
      ASSERT_EQ(layout.members(layout.node_of(index))[static_cast<std::size_t>(layout.local_of(index))],
                index);
  }
}

TEST(ShardRounds, EveryElementIsPackedOnceAndInBounds) {
  std::mt19937 random(2);
  for (int trial = 0; trial < 1000; ++trial) {
    const Case drawn = random_case(random);
    const NodeLayout layout(drawn.group, drawn.node_of_rank);
    const Shards shards = random_shards(random, layout.ranks());
    const std::size_t budget = 1 + random() % 200;
    const ShardRounds rounds(shards, layout, budget);
    std::vector<int> seen(shards.total(), 0);
    for (int round = 0; round < rounds.count(); ++round) {
      ASSERT_LE(rounds.round_total(round), std::max(budget, static_cast<std::size_t>(layout.ranks())));
      std::size_t packed = 0;
      rounds.for_each_stretch(round, [&](std::size_t whole, std::size_t at, std::size_t count) {
        ASSERT_EQ(at, packed);
        packed += count;
        for (std::size_t i = 0; i < count; ++i) ++seen[whole + i];
      });
      ASSERT_EQ(packed, rounds.round_total(round));
      for (int node = 0; node < layout.nodes(); ++node)
        ASSERT_EQ(rounds.lane_loads(node, round).total(), rounds.round_total(round));
    }
    ASSERT_TRUE(std::all_of(seen.begin(), seen.end(), [](int times) { return times == 1; }));
  }
}

TEST(ShardRounds, LanesAndRanksAgreeOnWhatPassesBetweenThem) {
  std::mt19937 random(3);
  for (int trial = 0; trial < 1000; ++trial) {
    const Case drawn = random_case(random);
    const NodeLayout layout(drawn.group, drawn.node_of_rank);
    const Shards shards = random_shards(random, layout.ranks());
    const ShardRounds rounds(shards, layout, 1 + random() % 100);
    std::vector<std::size_t> given(static_cast<std::size_t>(layout.ranks()), 0);
    for (int round = 0; round < rounds.count(); ++round)
      for (int index = 0; index < layout.ranks(); ++index) {
        const int node = layout.node_of(index), local = layout.local_of(index);
        const Shards to_lanes = rounds.exchanged(node, local, round);
        ASSERT_EQ(to_lanes.total(), rounds.piece(index, round));
        ASSERT_EQ(rounds.delivered(index, round), given[static_cast<std::size_t>(index)]);
        given[static_cast<std::size_t>(index)] += to_lanes.total();
        const Shards from_ranks = rounds.exchanged_by_lane(node, local, round);
        const bool lane = layout.in_a_lane(index);
        ASSERT_EQ(from_ranks.total(), lane ? rounds.lane_parts(node, round).count(local) : 0);
        for (int other = 0; other < static_cast<int>(layout.members(node).size()); ++other)
          ASSERT_EQ(to_lanes.count(other), rounds.exchanged_by_lane(node, other, round).count(local));
      }
    for (int index = 0; index < layout.ranks(); ++index)
      ASSERT_EQ(given[static_cast<std::size_t>(index)], shards.count(index));
  }
}

TEST(Pipeline, RunsEachStageOfEachRoundInOrderAndBeginsTheNextRoundEarly) {
  std::vector<std::pair<int, int>> ran;
  pipeline(
      3, [&](int round) { ran.emplace_back(0, round); }, [&](int round) { ran.emplace_back(1, round); });
  EXPECT_EQ(ran, (std::vector<std::pair<int, int>>{{0, 0}, {0, 1}, {1, 0}, {0, 2}, {1, 1}, {1, 2}}));
}

}  // namespace
}  // namespace trireme::comm
