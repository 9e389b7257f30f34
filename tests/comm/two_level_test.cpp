#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "comm/threads/thread_world.h"
#include "comm/two_level/two_level_communicator.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

struct Layout {
  std::string name;
  std::vector<int> node_of_rank;
  /// Groups of one call; ranks in no group make a communicator of their own.
  std::vector<Group> groups;
};

Group everyone(int ranks) {
  Group all;
  for (int rank = 0; rank < ranks; ++rank) all.ranks.push_back(rank);
  return all;
}

std::vector<Layout> layouts() {
  return {{"one node", {0, 0, 0}, {everyone(3)}},
          {"2x2", {0, 0, 1, 1}, {everyone(4)}},
          {"2+1", {0, 0, 1}, {everyone(3)}},
          {"3x2", {0, 0, 1, 1, 2, 2}, {everyone(6)}},
          {"3+1+2", {0, 0, 0, 1, 2, 2}, {everyone(6)}},
          {"dealt out in turn", {0, 1, 0, 1, 0}, {everyone(5)}},
          {"any order", {0, 0, 1, 1, 2}, {Group{{4, 1, 3, 0, 2}}}},
          {"two groups and a rank alone", {0, 0, 1, 1, 1}, {Group{{3, 0}}, Group{{1, 4}}}}};
}

Group group_of(const Layout& layout, int rank) {
  for (const Group& group : layout.groups)
    if (group.contains(rank)) return group;
  return Group{{rank}};
}

/// Small whole numbers, whose sums are exact in every type.
int value_of(int rank, std::size_t i) {
  return static_cast<int>((i * 7 + static_cast<std::size_t>(rank) * 3) % 5);
}

void write(void* data, std::size_t i, DType dtype, double value) {
  switch (dtype) {
    case DType::f32:
      static_cast<float*>(data)[i] = static_cast<float>(value);
      break;
    case DType::f64:
      static_cast<double*>(data)[i] = value;
      break;
    case DType::bf16:
      static_cast<BFloat16*>(data)[i] = BFloat16(static_cast<float>(value));
      break;
    case DType::f16:
      static_cast<Float16*>(data)[i] = Float16(static_cast<float>(value));
      break;
    case DType::i8:
      static_cast<std::int8_t*>(data)[i] = static_cast<std::int8_t>(value);
      break;
    case DType::u8:
    case DType::boolean:
      static_cast<std::uint8_t*>(data)[i] = static_cast<std::uint8_t>(value);
      break;
    case DType::i16:
      static_cast<std::int16_t*>(data)[i] = static_cast<std::int16_t>(value);
      break;
    case DType::i32:
      static_cast<std::int32_t*>(data)[i] = static_cast<std::int32_t>(value);
      break;
    case DType::i64:
      static_cast<std::int64_t*>(data)[i] = static_cast<std::int64_t>(value);
      break;
  }
}

using Bytes = std::vector<std::byte>;

Bytes filled(std::size_t count, DType dtype, const std::function<double(std::size_t)>& value) {
  Bytes data(count * size_of(dtype));
  for (std::size_t i = 0; i < count; ++i) write(data.data(), i, dtype, value(i));
  return data;
}

double expected(const Group& group, std::size_t i, Reduction reduction, DType dtype) {
  int sum = 0, largest = 0;
  for (const int rank : group.ranks) {
    sum += value_of(rank, i);
    largest = std::max(largest, value_of(rank, i));
  }
  if (reduction == Reduction::max) return largest;
  if (reduction == Reduction::sum) return sum;
  const bool whole =
      dtype != DType::f32 && dtype != DType::f64 && dtype != DType::bf16 && dtype != DType::f16;
  if (whole) return sum / group.size();
  return dtype == DType::f64 ? static_cast<double>(sum) / group.size()
                             : static_cast<float>(sum) / static_cast<float>(group.size());
}

constexpr DType dtypes[] = {DType::f32, DType::bf16, DType::f16, DType::f64, DType::i8,
                            DType::u8,  DType::i16,  DType::i32, DType::i64};
constexpr Reduction reductions[] = {Reduction::sum, Reduction::mean, Reduction::max};

void check_all_reduce(Communicator& communicator, int world_rank, std::size_t count, DType dtype,
                      Reduction reduction) {
  const auto mine = filled(count, dtype, [&](std::size_t i) { return value_of(world_rank, i); });
  const auto wanted = filled(
      count, dtype, [&](std::size_t i) { return expected(communicator.group(), i, reduction, dtype); });
  Bytes out(mine.size());
  communicator.all_reduce(mine.data(), out.data(), count, dtype, reduction);
  ASSERT_EQ(out, wanted) << "all_reduce of " << count << " " << name_of(dtype) << " " << name_of(reduction);
  Bytes in_place = mine;
  communicator.all_reduce(in_place.data(), in_place.data(), count, dtype, reduction);
  ASSERT_EQ(in_place, wanted) << "in place, " << count << " " << name_of(dtype) << " " << name_of(reduction);
}

void check_sharded(Communicator& communicator, int world_rank, const Shards& shards, DType dtype,
                   Reduction reduction) {
  const std::size_t width = size_of(dtype), begin = shards.offset(communicator.rank()) * width,
                    bytes = shards.count(communicator.rank()) * width;
  const auto mine = filled(shards.total(), dtype, [&](std::size_t i) { return value_of(world_rank, i); });
  const auto wanted = filled(shards.total(), dtype, [&](std::size_t i) {
    return expected(communicator.group(), i, reduction, dtype);
  });
  const Bytes wanted_shard(wanted.begin() + static_cast<std::ptrdiff_t>(begin),
                           wanted.begin() + static_cast<std::ptrdiff_t>(begin + bytes));
  Bytes shard(bytes);
  communicator.reduce_scatter(mine.data(), shard.data(), shards, dtype, reduction);
  ASSERT_EQ(shard, wanted_shard) << "reduce_scatter of " << shards.total() << " " << name_of(dtype);
  Bytes in_place = mine;
  communicator.reduce_scatter(in_place.data(), in_place.data() + begin, shards, dtype, reduction);
  ASSERT_TRUE(std::equal(wanted_shard.begin(), wanted_shard.end(),
                         in_place.begin() + static_cast<std::ptrdiff_t>(begin)))
      << "reduce_scatter in place";

  Bytes whole(wanted.size());
  communicator.all_gather(shard.data(), whole.data(), shards, dtype);
  ASSERT_EQ(whole, wanted) << "all_gather of " << shards.total() << " " << name_of(dtype);
  Bytes spread(wanted.size());
  std::copy(shard.begin(), shard.end(), spread.begin() + static_cast<std::ptrdiff_t>(begin));
  communicator.all_gather(spread.data() + begin, spread.data(), shards, dtype);
  ASSERT_EQ(spread, wanted) << "all_gather in place";
}

/// With small rounds, so that many are in flight.
void over_every_layout(const std::function<void(TwoLevelCommunicator&, int)>& check) {
  for (const Layout& layout : layouts()) {
    SCOPED_TRACE(layout.name);
    run_ranks(
        static_cast<int>(layout.node_of_rank.size()),
        [&](World& world) {
          TwoLevelCommunicator communicator(world, group_of(layout, world.rank()), {}, {.lane_bytes = 256});
          check(communicator, world.rank());
        },
        layout.node_of_rank);
  }
}

TEST(TwoLevel, AllReducesEveryTypeAndReduction) {
  over_every_layout([](TwoLevelCommunicator& communicator, int rank) {
    for (const DType dtype : dtypes)
      for (const Reduction reduction : reductions)
        for (const std::size_t count : {0u, 1u, 5u, 63u, 64u, 129u, 1000u, 4099u})
          check_all_reduce(communicator, rank, count, dtype, reduction);
  });
}

TEST(TwoLevel, ReduceScattersAndGathersEveryTypeAndReduction) {
  over_every_layout([](TwoLevelCommunicator& communicator, int rank) {
    const int size = communicator.size();
    std::vector<std::size_t> uneven(static_cast<std::size_t>(size), 0);
    for (std::size_t i = 0; i < uneven.size(); ++i) uneven[i] = i % 3 == 0 ? 1000 : i * 17;
    std::vector<std::size_t> last(static_cast<std::size_t>(size), 0);
    last.back() = 777;
    for (const DType dtype : dtypes)
      for (const Reduction reduction : reductions)
        for (const Shards& shards : {Shards::even(0, size), Shards::even(1, size), Shards::even(500, size),
                                     Shards::cut(1001, size, 64), Shards::of(uneven), Shards::of(last)})
          check_sharded(communicator, rank, shards, dtype, reduction);
  });
}

TEST(TwoLevel, BytesAcrossNodesAreTheFewestPossible) {
  run_ranks(
      6,
      [](World& world) {
        TwoLevelCommunicator communicator(world, everyone(6), {}, {.lane_bytes = 4096});
        const auto across_of = [&](const auto& call) {
          const std::uint64_t before = communicator.traffic().across_nodes;
          call();
          const std::uint64_t mine = communicator.traffic().across_nodes - before;
          std::uint64_t of_all = 0;
          communicator.all_reduce(&mine, &of_all, 1, DType::i64, Reduction::sum);
          return of_all;
        };
        const std::size_t count = 90000, bytes = count * sizeof(float), nodes = 3;
        std::vector<float> whole(count), shard(count / 6);
        const Shards shards = Shards::even(count / 6, 6);
        EXPECT_EQ(across_of([&] { communicator.all_gather(shard.data(), whole.data(), shards, DType::f32); }),
                  (nodes - 1) * bytes);
        EXPECT_EQ(across_of([&] {
                    communicator.reduce_scatter(whole.data(), shard.data(), shards, DType::f32,
                                                Reduction::sum);
                  }),
                  (nodes - 1) * bytes);
        EXPECT_EQ(across_of([&] {
                    communicator.all_reduce(whole.data(), whole.data(), count, DType::f32, Reduction::sum);
                  }),
                  2 * (nodes - 1) * bytes);
        EXPECT_GT(communicator.traffic().inside_node, 0u);
      },
      {0, 0, 1, 1, 2, 2});
}

TEST(TwoLevel, OtherCallsWorkAndMemoryIsTheNodes) {
  run_ranks(3,
            [](World& world) {
              const auto communicator = world.communicator(everyone(3), "two_level", {});
              EXPECT_EQ(communicator->backend(), "two_level");
              Buffer buffer = communicator->allocate(3 * sizeof(std::int32_t));
              auto* values = buffer.as<std::int32_t>();
              values[0] = world.rank() == 2 ? 42 : 0;
              communicator->broadcast(values, 1, DType::i32, 2);
              EXPECT_EQ(values[0], 42);
              const std::int32_t mine[3] = {world.rank() * 10, world.rank() * 10 + 1, world.rank() * 10 + 2};
              communicator->all_to_all(mine, values, Shards::even(1, 3), Shards::even(1, 3), DType::i32);
              for (int from = 0; from < 3; ++from) EXPECT_EQ(values[from], from * 10 + world.rank());
              communicator->barrier();
              if (world.rank() == 0) communicator->send(values, 1, DType::i32, 2);
              if (world.rank() == 2) {
                communicator->receive(values, 1, DType::i32, 0);
                EXPECT_EQ(values[0], 0);
              }
              communicator->barrier();
            },
            {0, 0, 1});
}

TEST(TwoLevel, ResultsAreTheSameBitsOnEveryRankAndInEveryRun) {
  std::vector<std::vector<float>> results(10);
  for (int run = 0; run < 2; ++run)
    run_ranks(5,
              [&](World& world) {
                TwoLevelCommunicator communicator(world, everyone(5), {}, {.lane_bytes = 1024});
                std::mt19937 random(static_cast<unsigned>(world.rank()));
                std::normal_distribution<float> normal;
                std::vector<float> data(5003);
                for (float& value : data) value = normal(random);
                communicator.all_reduce(data.data(), data.data(), data.size(), DType::f32, Reduction::mean);
                results[static_cast<std::size_t>(run * 5 + world.rank())] = data;
              },
              {0, 0, 1, 1, 1});
  for (const auto& result : results) EXPECT_EQ(result, results.front());
}

TEST(TwoLevel, AMissingRankIsNamedWithinTheTimeLimit) {
  EXPECT_THROW(run_ranks(4,
                         [](World& world) {
                           TwoLevelCommunicator communicator(
                               world, everyone(4),
                               {.name = "all", .time_limit = std::chrono::milliseconds(300), .observer = {}},
                               {.lane_bytes = 256});
                           std::vector<float> data(1000);
                           if (world.rank() == 3) return;
                           communicator.all_reduce(data.data(), data.data(), data.size(), DType::f32,
                                                   Reduction::sum);
                         },
                         {0, 0, 1, 1}),
               Error);
}

}  // namespace
}  // namespace trireme::comm
