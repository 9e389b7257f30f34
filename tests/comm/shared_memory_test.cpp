#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "comm/shm/flag.h"
#include "comm/threads/thread_world.h"
#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

TEST(SharedMemory, RanksOfANodeGatherIntoOneBuffer) {
  constexpr std::size_t each = 50000;
  std::atomic<std::int32_t*> whole{nullptr};
  run_ranks(3, [&](World& world) {
    const auto communicator = world.communicator(all_ranks(world), "shm", {});
    const Buffer first_has_all = communicator->allocate(world.rank() == 0 ? 3 * each * 4 : 0);
    const Buffer own = communicator->allocate(each * 4);
    if (world.rank() == 0) whole = first_has_all.as<std::int32_t>();
    communicator->barrier();
    std::fill_n(own.as<std::int32_t>(), each, world.rank() + 1);
    const Shards shards = Shards::even(each, 3);
    communicator->all_gather(own.data(), whole.load(), shards, DType::i32);
    for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(whole[shards.offset(rank) + each - 1], rank + 1);
    communicator->barrier();
    communicator->all_gather(whole + shards.offset(world.rank()), whole.load(), shards, DType::i32);
    for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(whole[shards.offset(rank)], rank + 1);
  });
}

TEST(SharedMemory, BuffersMayEndInAnyOrder) {
  run_ranks(2, [](World& world) {
    const auto communicator = world.communicator(all_ranks(world), "shm", {});
    for (int turn = 0; turn < 200; ++turn) {
      Buffer a = communicator->allocate(std::size_t{1} << 20),
             b = communicator->allocate(std::size_t{1} << 20);
      (world.rank() == 0 ? a : b).reset();
      float* values = (world.rank() == 0 ? b : a).as<float>();
      std::fill_n(values, 20000, 1.0f);
      communicator->all_reduce(values, values, 20000, DType::f32, Reduction::sum);
      EXPECT_EQ(values[19999], 2.0f);
    }
  });
}

TEST(SharedMemory, CommunicatorsMayEndInAnyOrder) {
  run_ranks(3, [](World& world) {
    for (int turn = 0; turn < 20; ++turn) {
      auto a = world.communicator(all_ranks(world), "shm", {}),
           b = world.communicator(all_ranks(world), "shm", {});
      (world.rank() == 1 ? a : b).reset();
      if (a) a.reset();
      b.reset();
    }
  });
}

TEST(Flag, WakesWhoeverSleepsAndKeepsTimeLimits) {
  Flag flag;
  EXPECT_FALSE(flag.sleep(1, std::chrono::milliseconds(5)));
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    flag.raise(1);
  });
  while (!flag.sleep(1, std::chrono::seconds(10))) {
  }
  later.join();
  EXPECT_TRUE(flag.reached(1));
  EXPECT_FALSE(flag.reached(2));
}

TEST(Flag, CountsGoRoundTheEndOfTheirRange) {
  Flag flag;
  flag.raise(0xffffffffu);
  EXPECT_FALSE(flag.reached(0));
  flag.raise(1);
  EXPECT_TRUE(flag.reached(0xffffffffu));
  EXPECT_TRUE(flag.reached(0));
}

}  // namespace
}  // namespace trireme::comm::tests
