#include "offload/host/pool.h"

#include <cstring>
#include <random>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "core/error.h"
#include "offload/host/numa.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

std::unique_ptr<PinnedSource> pages(HostMemoryOptions options = {}) {
  return std::make_unique<LockedPages>(std::move(options));
}

TEST(Pool, ClassesAreAtMostAnEighthTooLarge) {
  EXPECT_EQ(Pool::class_of(1), 4096u);
  EXPECT_EQ(Pool::class_of(4097), 8192u);
  std::size_t last = 0;
  for (std::size_t bytes = 40000; bytes < 64 * mib; bytes += bytes / 13) {
    const std::size_t given = Pool::class_of(bytes);
    EXPECT_GE(given, bytes);
    EXPECT_GE(given, last);
    EXPECT_EQ(given % 4096, 0u);
    EXPECT_LE(static_cast<double>(given), static_cast<double>(bytes) * 1.125 + 4096) << bytes;
    last = given;
  }
}

TEST(Pool, BlocksAreApartWhateverTheOrder) {
  Pool pool(pages(), {4 * mib});
  std::mt19937 random(5);
  std::vector<std::pair<Buffer, unsigned char>> held;
  for (int turn = 0; turn < 600; ++turn) {
    if (held.size() > 20 || (!held.empty() && random() % 3 == 0)) {
      const std::size_t which = random() % held.size();
      const auto* bytes = held[which].first.as<unsigned char>();
      for (std::size_t i = 0; i < held[which].first.bytes(); i += 997)
        ASSERT_EQ(bytes[i], held[which].second);
      ASSERT_EQ(bytes[held[which].first.bytes() - 1], held[which].second);
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
      continue;
    }
    const std::size_t bytes = 1 + random() % (random() % 9 == 0 ? 6 * mib : 100000);
    held.emplace_back(pool.allocate(bytes), static_cast<unsigned char>(turn));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held.back().first.data()) % 4096, 0u);
    std::memset(held.back().first.data(), held.back().second, bytes);
  }
  held.clear();
  EXPECT_EQ(pool.use().asked.now, 0u);
  EXPECT_EQ(pool.use().given.now, 0u);
}

TEST(Pool, KeepsHighWaterMarksAndUsesBlocksAgain) {
  Pool pool(pages(), {mib});
  {
    const Buffer a = pool.allocate(100000), b = pool.allocate(300000);
    EXPECT_EQ(pool.use().asked.now, 400000u);
    EXPECT_GE(pool.use().given.now, pool.use().asked.now);
    EXPECT_GT(pool.use().fragmentation(), 0.0);
  }
  const std::size_t reserved = pool.use().reserved.now;
  for (int again = 0; again < 50; ++again) {
    const Buffer a = pool.allocate(100000), b = pool.allocate(300000);
  }
  EXPECT_EQ(pool.use().reserved.now, reserved);
  EXPECT_EQ(pool.use().asked.most, 400000u);
  EXPECT_EQ(pool.use().allocations, 102u);
}

TEST(Pool, TakesAtMostTwiceWhatIsAskedBeyondItsLeastPiece) {
  Pool pool(pages(), {64 * mib, 2 * mib});
  std::vector<Buffer> blocks;
  blocks.push_back(pool.allocate(1));
  EXPECT_EQ(pool.use().reserved.now, 2 * mib);
  for (int i = 0; i < 50; ++i) {
    blocks.push_back(pool.allocate(mib));
    EXPECT_LE(pool.use().reserved.now, 2 * pool.use().given.now + 2 * mib);
  }
}

TEST(Pool, LargeBlocksAreNotRoundedUpToAClass) {
  Pool pool(pages({.huge_pages = false}), {mib});
  const Buffer block = pool.allocate(17 * mib + 1);
  EXPECT_EQ(pool.use().given.now, 17 * mib + 4096);
  EXPECT_EQ(pool.use().reserved.now, 17 * mib + 4096);
}

TEST(Pool, OutlivedByItsBlocks) {
  Buffer block;
  {
    Pool pool(pages());
    block = pool.allocate(5000);
  }
  std::memset(block.data(), 1, block.bytes());
}

TEST(Pool, ManyThreads) {
  Pool pool(pages(), {mib});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 200; ++i) {
        const Buffer block = pool.allocate(static_cast<std::size_t>(1000 * (t + 1) + i));
        std::memset(block.data(), t, block.bytes());
        for (std::size_t at = 0; at < block.bytes(); at += 511) ASSERT_EQ(block.as<char>()[at], t);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool.use().asked.now, 0u);
}

TEST(LockedPages, AreZeroedAndOnTheNodeAskedFor) {
  LockedPages source({.numa_node = memory_nodes().front()});
  const Buffer block = source.reserve(5 * mib);
  const auto* bytes = block.as<unsigned char>();
  for (std::size_t i = 0; i < block.bytes(); i += 4096) ASSERT_EQ(bytes[i], 0);
  block.as<char>()[0] = 1;
  EXPECT_THAT(node_of_page(block.data()), testing::AnyOf(memory_nodes().front(), -1));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block.data()) % (2 * mib), 0u);
}

TEST(Numa, CoresOfOneNodeHaveThatNode) {
  const tests::Scratch machine;
  for (const char* folder : {"cpu0/node0", "cpu1/node0", "cpu2/node1", "cpu2/nodes", "cpu3/power"})
    machine.make(folder);
  EXPECT_EQ(node_of_cores({0, 1}, machine.path()), 0);
  EXPECT_EQ(node_of_cores({2}, machine.path()), 1);
  EXPECT_EQ(node_of_cores({1, 2}, machine.path()), -1);
  EXPECT_EQ(node_of_cores({0, 3}, machine.path()), -1);
  EXPECT_EQ(node_of_cores({7}, machine.path()), -1);
  EXPECT_EQ(node_of_cores({}, machine.path()), -1);
}

TEST(LockedPages, RefuseWhatTheLimitsForbidAndGoWithoutLockingWhereTheyMay) {
  const auto tight = [] { return HostLimits{std::uint64_t{1} << 20, std::nullopt, std::nullopt}; };
  HostMemoryOptions options;
  options.locking = HostMemoryOptions::Locking::required;
  options.purpose = "optimizer state";
  try {
    LockedPages(options, tight).reserve(2 * mib);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                testing::StartsWith("optimizer state: needs 2 MiB of host memory, but the memlock"));
  }
  options.locking = HostMemoryOptions::Locking::if_allowed;
  LockedPages(options, tight).reserve(2 * mib);
  options.locking = HostMemoryOptions::Locking::none;
  LockedPages source(options, tight);
  const Buffer block = source.reserve(2 * mib);
  EXPECT_EQ(source.locked_bytes(), 0u);
  EXPECT_EQ(source.kind(), "pageable");
}

TEST(Numa, AThreadStaysOnItsCore) {
  const std::vector<int> cores = allowed_cores();
  ASSERT_FALSE(cores.empty());
  std::vector<int> after;
  std::thread([&] {
    if (pin_thread(cores.back())) after = allowed_cores();
  }).join();
  EXPECT_THAT(after, testing::AnyOf(testing::ElementsAre(cores.back()), testing::IsEmpty()));
  EXPECT_FALSE(prefer_node(after.data(), 4096, -1));
}

}  // namespace
}  // namespace trireme::offload
