#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "comm/codec/codec.h"
#include "comm/codec/quantised_all_gather.h"
#include "comm/codec/two_hop_reduce_scatter.h"
#include "comm/threads/thread_world.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

const std::vector<std::vector<int>>& layouts() {
  static const std::vector<std::vector<int>> all = {
      {0}, {0, 0, 0}, {0, 0, 1, 1}, {0, 0, 1}, {0, 1, 0, 1}, {0, 0, 1, 1, 2, 2}, {0, 0, 0, 1, 2, 2}};
  return all;
}

Group everyone(int ranks) {
  Group all;
  for (int rank = ranks; rank-- > 0;) all.ranks.push_back(rank);
  return all;
}

std::vector<float> values_of(int rank, std::size_t count) {
  std::mt19937 random(static_cast<unsigned>(rank) + 100);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random) * 0.01f;
  return values;
}

float largest(const std::vector<float>& values) {
  float most = 0;
  for (const float value : values) most = std::max(most, std::abs(value));
  return most;
}

void over_layouts(const std::function<void(World&, const Group&)>& body) {
  for (const auto& layout : layouts()) {
    const int ranks = static_cast<int>(layout.size());
    run_ranks(
        ranks, [&](World& world) { body(world, everyone(ranks)); }, layout);
  }
}

TEST(QuantisedAllGather, AllRanksHoldTheSameValuesWithinHalfAStep) {
  over_layouts([](World& world, const Group& group) {
    const int size = group.size();
    const auto communicator = world.communicator(group, "two_level", {});
    const Shards shards = Shards::cut(5003, size, 16);
    QuantisedAllGather gather(*communicator, shards);
    std::vector<std::vector<float>> all;
    for (int index = 0; index < size; ++index) all.push_back(values_of(index, shards.count(index)));
    std::vector<float> whole(shards.total());
    gather.run(all[static_cast<std::size_t>(communicator->rank())].data(), whole.data(), shards, DType::f32);
    for (int index = 0; index < size; ++index) {
      const auto& shard = all[static_cast<std::size_t>(index)];
      const float bound = largest(shard) / 254 * 1.0001f;
      std::vector<std::byte> encoded(codec::int8_blocks.bytes(shard.size()));
      std::vector<float> wanted(shard.size());
      codec::reference::encode(codec::int8_blocks, shard.data(), DType::f32, shard.size(), encoded.data());
      codec::decode(codec::int8_blocks, encoded.data(), shard.size(), wanted.data(), DType::f32);
      for (std::size_t i = 0; i < shard.size(); ++i) {
        ASSERT_EQ(whole[shards.offset(index) + i], wanted[i]);
        ASSERT_LE(std::abs(wanted[i] - shard[i]), bound);
      }
    }
  });
}

TEST(QuantisedAllGather, RefusesMoreThanItHasMemoryFor) {
  run_ranks(1, [](World& world) {
    const auto communicator = world.communicator(Group{{0}}, "auto", {});
    QuantisedAllGather gather(*communicator, Shards::even(10, 1));
    std::vector<float> data(1000);
    EXPECT_THROW(gather.run(data.data(), data.data(), Shards::even(1000, 1), DType::f32), Error);
  });
}

struct Reduced {
  DType whole, shard;
  Reduction reduction;
  TwoHopOptions options;
};

/// What the README promises: half a step for each rank's values and half a step for each node's sum.
double bound_of(const Group& group, const std::vector<int>& node_of_rank, const Reduced& how,
                std::size_t count) {
  std::vector<double> of_node(8, 0.0);
  double bound = 0;
  for (int index = 0; index < group.size(); ++index) {
    const int rank = group.ranks[static_cast<std::size_t>(index)];
    const double most = largest(values_of(rank, count)), step = most / how.options.inside.levels();
    bound += step / 2;
    of_node[static_cast<std::size_t>(node_of_rank[static_cast<std::size_t>(rank)])] += most + step / 2;
  }
  const bool one_hop = std::count(of_node.begin(), of_node.end(), 0.0) == 7;
  if (!one_hop)
    for (const double most : of_node) bound += most / how.options.across.levels() / 2;
  return bound * 1.0001;
}

void check_reduction(World& world, const Group& group, const Shards& shards, const Reduced& how) {
  TwoHopReduceScatter reduce(world, group, {}, how.options);
  const std::size_t count = shards.total();
  const int index = group.index_of(world.rank()), size = group.size();
  const std::vector<float> mine = values_of(world.rank(), count);
  std::vector<BFloat16> half;
  for (const float value : mine) half.push_back(BFloat16(value));
  const void* whole = how.whole == DType::f32 ? static_cast<const void*>(mine.data()) : half.data();
  std::vector<float> out(shards.count(index));
  std::vector<BFloat16> half_out(shards.count(index));
  reduce.run(whole, how.whole, how.shard == DType::f32 ? static_cast<void*>(out.data()) : half_out.data(),
             how.shard, shards, how.reduction);
  if (how.shard == DType::bf16)
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(half_out[i]);

  const double divisor = how.reduction == Reduction::mean ? size : 1;
  double bound = bound_of(group, world.node_of_rank(), how, count) / divisor;
  std::vector<double> wanted(count, 0.0);
  for (int rank = 0; rank < size; ++rank) {
    const auto values = values_of(rank, count);
    for (std::size_t i = 0; i < count; ++i) wanted[i] += values[i] / divisor;
    if (how.whole == DType::bf16) bound += largest(values) / 256 / divisor;
  }
  double error = 0, signal = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double exact = wanted[shards.offset(index) + i], off = std::abs(exact - out[i]);
    ASSERT_LE(off, bound + (how.shard == DType::bf16 ? std::abs(exact) / 128 : 0)) << i;
    error += off * off, signal += exact * exact;
  }
  if (out.size() > 100) {
    ASSERT_LT(error, signal * (how.options.across.bits == 8 ? 0.0005 : 0.1));
  }
}

TEST(TwoHopReduceScatter, ErrsLessThanTheBound) {
  const TwoHopOptions small{.lane_elements = 300}, eight{codec::int8_blocks, codec::int8_blocks, 1000},
      mixed{codec::int8_blocks, codec::int4_blocks, 1000};
  over_layouts([&](World& world, const Group& group) {
    const int size = group.size();
    std::vector<std::size_t> uneven(static_cast<std::size_t>(size), 0);
    for (std::size_t i = 0; i < uneven.size(); ++i) uneven[i] = i % 2 == 0 ? 701 : i;
    for (const Shards& shards : {Shards::even(0, size), Shards::even(1, size), Shards::cut(4001, size, 64),
                                 Shards::even(777, size), Shards::of(uneven)})
      for (const Reduced& how : {Reduced{DType::f32, DType::f32, Reduction::sum, small},
                                 Reduced{DType::bf16, DType::f32, Reduction::mean, {}},
                                 Reduced{DType::f32, DType::bf16, Reduction::mean, mixed},
                                 Reduced{DType::f32, DType::f32, Reduction::sum, eight}})
        check_reduction(world, group, shards, how);
  });
}

TEST(TwoHopReduceScatter, ValuesThatTheCodecHoldsExactlyAreSummedExactly) {
  over_layouts([](World& world, const Group& group) {
    TwoHopReduceScatter reduce(world, group, {}, {.lane_elements = 500});
    const Shards shards = Shards::cut(5001, group.size(), 2);
    const std::vector<float> whole(shards.total(), 7.0f);
    std::vector<float> shard(shards.count(group.index_of(world.rank())));
    reduce.run(whole.data(), DType::f32, shard.data(), DType::f32, shards, Reduction::sum);
    for (const float value : shard) ASSERT_EQ(value, 7.0f * static_cast<float>(group.size()));
    reduce.run(whole.data(), DType::f32, shard.data(), DType::f32, shards, Reduction::mean);
    for (const float value : shard) ASSERT_EQ(value, 7.0f);
  });
}

TEST(TwoHopReduceScatter, AnInfinityReachesTheShardAsNaN) {
  run_ranks(4,
            [](World& world) {
              TwoHopReduceScatter reduce(world, Group{{0, 1, 2, 3}}, {});
              std::vector<float> whole(4096, 1.0f), shard(1024);
              if (world.rank() == 2) whole[3000] = std::numeric_limits<float>::infinity();
              reduce.run(whole.data(), DType::f32, shard.data(), DType::f32, Shards::even(1024, 4),
                         Reduction::sum);
              const bool hit = world.rank() == 2;  // element 3000 is in the third shard
              EXPECT_EQ(std::isnan(shard[3000 - 2048]), hit);
              EXPECT_FALSE(std::isnan(shard[0]));
            },
            {0, 0, 1, 1});
}

TEST(TwoHopReduceScatter, FourBitsCrossInLessThanThreeTenthsOfBf16) {
  run_ranks(6,
            [](World& world) {
              TwoHopReduceScatter reduce(world, everyone(6), {});
              const Shards shards = Shards::even(200000, 6);
              std::vector<BFloat16> whole(shards.total(), BFloat16(1.0f));
              std::vector<float> shard(200000);
              reduce.run(whole.data(), DType::bf16, shard.data(), DType::f32, shards, Reduction::sum);
              // A bf16 reduce-scatter sends each byte to two other nodes; each of six ranks has a sixth of
              // that.
              const double raw = 2.0 * static_cast<double>(shards.total()) * 2 / 6;
              const double sent = static_cast<double>(reduce.traffic().across_nodes);
              EXPECT_LE(sent, 0.30 * raw);
              EXPECT_GE(sent, 0.25 * raw);
            },
            {0, 0, 1, 1, 2, 2});
}

TEST(TwoHopReduceScatter, RefusesTheMaximum) {
  run_ranks(1, [](World& world) {
    TwoHopReduceScatter reduce(world, Group{{0}}, {});
    float value = 1, out = 0;
    EXPECT_THROW(reduce.run(&value, DType::f32, &out, DType::f32, Shards::even(1, 1), Reduction::max), Error);
  });
}

}  // namespace
}  // namespace trireme::comm
