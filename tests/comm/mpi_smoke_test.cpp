#include <ctime>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/watched_world.h"
#include "tests/mpi_main.h"

namespace trireme::comm {
namespace {

Group everyone_in(const World& world) {
  Group everyone;
  everyone.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(everyone.ranks.begin(), everyone.ranks.end(), 0);
  return everyone;
}

TEST(MpiWorld, GathersAndReducesInOrder) {
  MpiWorld world(tests::mpi_runtime());
  const Group everyone = everyone_in(world);
  const auto communicator = world.communicator(everyone, "mpi", {});
  const float mine = static_cast<float>(world.rank() + 1);
  std::vector<float> all(everyone.ranks.size());
  const Event gathered =
      communicator->post(Call::all_gather(&mine, all.data(), Shards::even(1, world.size()), DType::f32));
  float sum = 0;
  communicator->all_reduce(&mine, &sum, 1, DType::f32, Reduction::sum);
  EXPECT_TRUE(gathered.ready());
  for (int rank = 0; rank < world.size(); ++rank)
    EXPECT_EQ(all[static_cast<std::size_t>(rank)], static_cast<float>(rank + 1));
  EXPECT_EQ(sum, static_cast<float>(world.size() * (world.size() + 1) / 2));
}

TEST(MpiWorld, WhoGivesWayTakesLittleOfACoreWhileItWaits) {
  MpiWorld bare(tests::mpi_runtime());
  if (bare.size() == 1) GTEST_SKIP() << "nobody to wait for";
  const Watchdog watchdog(bare);
  WatchedWorld world(bare, watchdog);
  CommunicatorOptions options;
  options.gives_way = true;
  const auto communicator = world.communicator(everyone_in(world), "mpi", options);
  communicator->barrier();
  const bool late = world.rank() == 0;
  if (late) std::this_thread::sleep_for(std::chrono::milliseconds(400));
  const std::clock_t before = std::clock();
  const float mine = 1;
  float sum = 0;
  communicator->all_reduce(&mine, &sum, 1, DType::f32, Reduction::sum);
  EXPECT_EQ(sum, static_cast<float>(world.size()));
  if (!late) {
    EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 5);
  }
}

}  // namespace
}  // namespace trireme::comm
