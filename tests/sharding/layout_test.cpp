#include "sharding/layout.h"

#include <algorithm>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "sharding/partition.h"

namespace trireme::sharding {
namespace {

std::vector<Parameter> random_parameters(std::mt19937& random) {
  std::vector<Parameter> parameters(1 + random() % 9);
  for (auto& parameter : parameters)
    parameter.shape = {1 + static_cast<std::int64_t>(random() % 700),
                       1 + static_cast<std::int64_t>(random() % 3)};
  return parameters;
}

TEST(Layout, SlicesOfAnyRankCountCoverEveryElementOnce) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const auto parameters = random_parameters(random);
    for (const int span : {1, 2, 3, 5, 6, 7}) {
      const Layout layout(parameters, span);
      std::vector<std::vector<int>> seen;
      for (const auto& parameter : parameters) seen.emplace_back(element_count(parameter), 0);
      for (int slice = 0; slice < span; ++slice) {
        for (const Piece& piece : layout.pieces(slice, span)) {
          ASSERT_GE(piece.at, 0);
          ASSERT_LE(piece.at + piece.count, layout.slice_elements(span));
          ASSERT_EQ(slice * layout.slice_elements(span) + piece.at,
                    layout.offset(piece.parameter) + piece.begin);
          for (std::int64_t i = 0; i < piece.count; ++i)
            ++seen[static_cast<std::size_t>(piece.parameter)][static_cast<std::size_t>(piece.begin + i)];
        }
      }
      for (const auto& counts : seen)
        for (const int count : counts) ASSERT_EQ(count, 1);
    }
  }
}

TEST(Layout, BlocksAreNeverCutAndStartAtTensorStarts) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    const auto parameters = random_parameters(random);
    for (const int span : {2, 3, 5, 7}) {
      const Layout layout(parameters, span, Granule::block(256));
      for (int slice = 0; slice < span; ++slice)
        for (const Piece& piece : layout.pieces(slice, span)) {
          ASSERT_EQ(piece.begin % 256, 0);
          const bool ends_tensor = piece.begin + piece.count == layout.count(piece.parameter);
          ASSERT_TRUE(ends_tensor || piece.count % 256 == 0);
        }
    }
  }
}

TEST(Layout, WholeTensorsHaveOneOwner) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    const auto parameters = random_parameters(random);
    for (const int span : {2, 3, 5, 7}) {
      const Layout layout(parameters, span, Granule::tensor());
      std::set<int> owned;
      for (int slice = 0; slice < span; ++slice)
        for (const Piece& piece : layout.pieces(slice, span)) {
          ASSERT_EQ(piece.count, layout.count(piece.parameter));
          ASSERT_TRUE(owned.insert(piece.parameter).second);
        }
      ASSERT_EQ(owned.size(), parameters.size());
    }
  }
}

TEST(Partition, WiderSlicesLieInsideNarrowerOnes) {
  for (const auto& spans :
       std::vector<std::vector<int>>{{2, 8}, {2, 4, 8}, {3, 6, 12}, {1, 12}, {4, 4, 12}, {24}}) {
    const int world = 24;
    const Partition partition(world, spans);
    const auto& chain = partition.chain();
    for (int rank = 0; rank < world; ++rank) {
      for (std::size_t i = 1; i < chain.size(); ++i)
        EXPECT_EQ(partition.slice(rank, chain[i]) / (chain[i] / chain[i - 1]),
                  partition.slice(rank, chain[i - 1]));
    }
  }
}

TEST(Partition, RanksBetweenTwoSpansHoldTheInnerSliceInOrder) {
  const Partition partition(24, {2, 4, 12});
  const auto& chain = partition.chain();
  for (int rank = 0; rank < 24; ++rank) {
    for (const int inner : chain)
      for (const int outer : chain) {
        if (inner > outer) continue;
        const auto group = partition.between(rank, inner, outer);
        ASSERT_EQ(group.size(), outer / inner);
        for (int i = 0; i < group.size(); ++i) {
          const int other = group.ranks[static_cast<std::size_t>(i)];
          EXPECT_EQ(partition.slice(other, outer), partition.slice(rank, inner) * (outer / inner) + i);
          EXPECT_EQ(partition.between(other, inner, outer), group);
        }
      }
    for (const int span : chain)
      for (const int other : partition.replicas(rank, span).ranks)
        EXPECT_EQ(partition.slice(other, span), partition.slice(rank, span));
  }
}

TEST(Partition, OneSpanGoesByConsecutiveRanks) {
  const Partition partition(8, {4});
  for (int rank = 0; rank < 8; ++rank) EXPECT_EQ(partition.slice(rank, 4), rank % 4);
  EXPECT_EQ(partition.between(5, 1, 4).ranks, (std::vector{4, 5, 6, 7}));
  EXPECT_EQ(partition.replicas(5, 4).ranks, (std::vector{1, 5}));
}

TEST(Layout, ClearsWhatIsNoParameterAndNothingElse) {
  std::vector<Parameter> parameters(3);
  parameters[0].shape = {5, 13}, parameters[1].shape = {70}, parameters[2].shape = {64};
  for (const Granule granule : {Granule::element(), Granule::block(128), Granule::tensor()}) {
    const Layout layout(parameters, 3, granule);
    std::vector<float> whole(static_cast<std::size_t>(layout.elements()), 1.0F);
    layout.for_each_gap(
        [&](std::int64_t at, std::int64_t count) { std::fill_n(whole.begin() + at, count, 0.0f); });
    EXPECT_EQ(std::count(whole.begin(), whole.end(), 1.0F), layout.used());
    for (int i = 0; i < 3; ++i) {
      const auto first = whole.begin() + layout.offset(i);
      EXPECT_EQ(std::count(first, first + layout.count(i), 1.0F), layout.count(i));
    }
  }
}

}  // namespace
}  // namespace trireme::sharding
