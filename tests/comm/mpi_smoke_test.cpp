#include <numeric>

#include <gtest/gtest.h>

#include "comm/mpi/mpi_world.h"
#include "tests/mpi_main.h"

namespace trireme::comm {
namespace {

TEST(MpiWorld, GathersAndReducesInOrder) {
  MpiWorld world(tests::mpi_runtime());
  Group everyone;
  everyone.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(everyone.ranks.begin(), everyone.ranks.end(), 0);
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

}  // namespace
}  // namespace trireme::comm
