#include "comm/threads/thread_world.h"

#include <atomic>
#include <numeric>
#include <stdexcept>

#include <gtest/gtest.h>
#include <sched.h>

#include "core/error.h"

namespace trireme::comm {
namespace {

Group everyone(const World& world) {
  Group group;
  group.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(group.ranks.begin(), group.ranks.end(), 0);
  return group;
}

TEST(ThreadWorld, ReducesOverAllRanks) {
  for (int ranks : {1, 2, 3, 5})
    run_ranks(ranks, [](World& world) {
      const auto communicator = world.communicator(everyone(world), "auto", {});
      const int mine = world.rank() + 1;
      int sum = 0;
      communicator->all_reduce(&mine, &sum, 1, DType::i32, Reduction::sum);
      EXPECT_EQ(sum, world.size() * (world.size() + 1) / 2);
    });
}

TEST(ThreadWorld, CountsTheCoresThatItsRanksMayUse) {
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  CPU_ZERO(&one);
  for (int core = 0; CPU_COUNT(&one) == 0; ++core)
    if (CPU_ISSET(core, &before)) CPU_SET(core, &one);
  const auto counted = [] {
    std::atomic<int> cores = 0;
    run_ranks(2, [&](World& world) { cores += world.cores(); });
    return cores / 2;
  };
  EXPECT_EQ(counted(), CPU_COUNT(&before));
  ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
  EXPECT_EQ(counted(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
}

TEST(ThreadWorld, CarriesTheFirstErrorAndEndsTheOthersWaiting) {
  EXPECT_THROW(run_ranks(3,
                         [](World& world) {
                           const auto communicator = world.communicator(everyone(world), "auto", {});
                           if (world.rank() == 1) throw std::logic_error("rank 1 is broken");
                           communicator->barrier();
                         }),
               std::logic_error);
}

TEST(ThreadWorld, EndsRanksThatWaitForOneThatReturned) {
  EXPECT_THROW(run_ranks(2,
                         [](World& world) {
                           CommunicatorOptions options;
                           options.time_limit = std::chrono::milliseconds(200);
                           const auto communicator = world.communicator(everyone(world), "auto", options);
                           if (world.rank() == 0) communicator->barrier();
                         }),
               Error);
}

TEST(ThreadWorld, PretendsNodes) {
  run_ranks(4,
            [](World& world) {
              EXPECT_EQ(world.node_of_rank(), (std::vector{0, 0, 1, 1}));
              const Group all = everyone(world);
              EXPECT_THROW(world.communicator(all, "shm", {}), Error);
              const auto across = world.communicator(all, "auto", {});
              const Group node{world.rank() < 2 ? std::vector{0, 1} : std::vector{2, 3}};
              const auto inside = world.communicator(node, "shm", {});
              const Buffer buffer = inside->allocate(std::size_t{1} << 20);
              const std::size_t count = buffer.bytes() / sizeof(std::int32_t);
              std::fill_n(buffer.as<std::int32_t>(), count, world.rank());
              across->all_reduce(buffer.data(), buffer.data(), count, DType::i32, Reduction::sum);
              EXPECT_EQ(buffer.as<std::int32_t>()[count - 1], 6);
              inside->all_reduce(buffer.data(), buffer.data(), count, DType::i32, Reduction::sum);
              EXPECT_EQ(buffer.as<std::int32_t>()[0], 12);
              EXPECT_GT(across->traffic().across_nodes, across->traffic().inside_node);
              EXPECT_EQ(inside->traffic().across_nodes, 0u);
            },
            {0, 0, 1, 1});
}

}  // namespace
}  // namespace trireme::comm
