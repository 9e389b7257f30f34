#include "offload/nvme/engine.h"

#include <random>

#include <gmock/gmock.h>
#include <sys/mount.h>

#include "core/error.h"
#include "tests/offload/backends_under_test.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

using tests::Scratch;

std::vector<std::byte> noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> made(bytes);
  for (std::byte& byte : made) byte = static_cast<std::byte>(random());
  return made;
}

Buffer page_memory(std::size_t bytes) {
  return tests::memory_under_test(bytes);
}
std::span<std::byte> span_of(const Buffer& buffer, std::size_t bytes) {
  return {buffer.as<std::byte>(), bytes};
}

class EveryBackend : public testing::TestWithParam<const char*> {
 protected:
  Engine engine{tests::backend_under_test(GetParam(), 8), {.block_bytes = 64 << 10}};
};
INSTANTIATE_TEST_SUITE_P(Backends, EveryBackend, testing::ValuesIn(tests::backends_under_test()));

TEST_P(EveryBackend, ReadsBackWhatItWroteInAnyPieces) {
  const Scratch scratch;
  constexpr std::size_t bytes = 3'000'001;
  for (const int drives : {1, 3}) {
    std::vector<std::filesystem::path> folders;
    for (int i = 0; i < drives; ++i) folders.push_back(scratch.make(std::to_string(i)));
    const Volume volume(folders, bytes, {.stripe = 128 << 10});
    engine.register_volume(volume);
    const Buffer memory = page_memory(bytes);
    engine.register_memory(span_of(memory, memory.bytes()));
    std::vector<std::byte> truth(bytes);
    std::mt19937 random(9);
    for (int turn = 0; turn < 60; ++turn) {
      const bool on_pages = turn % 2 == 0;
      const auto rounded = [&](std::size_t value) { return on_pages ? value / 4096 * 4096 : value; };
      const std::size_t begin = rounded(random() % bytes);
      const std::size_t count = std::min(1 + rounded(random() % 900'000), bytes - begin);
      const auto piece = noise(count, static_cast<unsigned>(turn));
      std::byte* from = memory.as<std::byte>() + (on_pages ? begin : begin / 2);
      if (!on_pages && begin / 2 + count > memory.bytes()) continue;
      std::copy(piece.begin(), piece.end(), from);
      std::copy(piece.begin(), piece.end(), truth.begin() + static_cast<std::ptrdiff_t>(begin));
      engine.write(volume, begin, {from, count}).wait();
    }
    engine.read(volume, 0, span_of(memory, bytes)).wait();
    EXPECT_TRUE(std::equal(truth.begin(), truth.end(), memory.as<std::byte>())) << drives;
    engine.forget_memory(span_of(memory, memory.bytes()));
    engine.forget_volume(volume);
  }
}

TEST_P(EveryBackend, ManyTransfersAtOnceFromManyThreads) {
  const Scratch scratch;
  constexpr std::size_t each = 300 << 10, threads = 4, turns = 12;
  const Volume volume({scratch.path()}, each * threads);
  engine.register_volume(volume);
  std::vector<std::thread> team;
  for (std::size_t t = 0; t < threads; ++t)
    team.emplace_back([&, t] {
      const Buffer out = page_memory(each), back = page_memory(each);
      for (unsigned turn = 0; turn < turns; ++turn) {
        const auto data = noise(each, turn * 10 + static_cast<unsigned>(t));
        std::copy(data.begin(), data.end(), out.as<std::byte>());
        engine.write(volume, t * each, span_of(out, each)).wait();
        engine.read(volume, t * each, span_of(back, each)).wait();
        ASSERT_TRUE(std::equal(data.begin(), data.end(), back.as<std::byte>()));
      }
    });
  for (std::thread& thread : team) thread.join();
  EXPECT_EQ(engine.counters().bytes_written, each * threads * turns);
  EXPECT_EQ(engine.counters().bytes_read, each * threads * turns);
  engine.forget_volume(volume);
}

TEST_P(EveryBackend, WhatTheMapWroteIsReadAndTheOtherWayRound) {
  const Scratch scratch;
  constexpr std::size_t bytes = 1 << 20;
  const Volume volume({scratch.make("a"), scratch.make("b")}, bytes, {.stripe = 64 << 10});
  const Buffer mapped = volume.map(), memory = page_memory(bytes);
  const auto first = noise(bytes, 1), second = noise(bytes, 2);
  std::copy(first.begin(), first.end(), mapped.as<std::byte>());
  engine.read(volume, 0, span_of(memory, bytes)).wait();
  EXPECT_TRUE(std::equal(first.begin(), first.end(), memory.as<std::byte>()));
  std::copy(second.begin(), second.end(), memory.as<std::byte>());
  engine.write(volume, 0, span_of(memory, bytes)).wait();
  EXPECT_TRUE(std::equal(second.begin(), second.end(), mapped.as<std::byte>()));
}

TEST_P(EveryBackend, AlignedTransfersGoAroundThePageCache) {
  const Scratch scratch;
  constexpr std::size_t bytes = 1 << 20;
  const Volume volume({scratch.path()}, bytes);
  if (volume.file(0).direct() < 0) GTEST_SKIP() << "no direct access here";
  const Buffer memory = page_memory(bytes);
  engine.write(volume, 0, span_of(memory, bytes)).wait();
  EXPECT_EQ(engine.counters().plain, 0u);
  engine.write(volume, 1, span_of(memory, 5000)).wait();
  EXPECT_GT(engine.counters().plain, 0u);
}

TEST_P(EveryBackend, NothingIsATransferToo) {
  const Scratch scratch;
  const Volume volume({scratch.path()}, 4096);
  engine.read(volume, 4096, {}).wait();
  EXPECT_THROW(engine.read(volume, 1, span_of(page_memory(4096), 4096)), Error);
}

/// Ramfs has no direct access at all; a mount of our own shows it where that is allowed.
TEST_P(EveryBackend, WorksWhereTheFileSystemIsNotDirect) {
  const Scratch scratch;
  const auto folder = scratch.make("ram");
  if (::mount("none", folder.c_str(), "ramfs", 0, nullptr) != 0) GTEST_SKIP() << "may not mount";
  {
    constexpr std::size_t bytes = 500'000;
    const Volume volume({folder}, bytes);
    EXPECT_LT(volume.file(0).direct(), 0);
    const Buffer memory = page_memory(bytes);
    const auto data = noise(bytes, 4);
    std::copy(data.begin(), data.end(), memory.as<std::byte>());
    engine.write(volume, 0, span_of(memory, bytes)).wait();
    std::fill_n(memory.as<std::byte>(), bytes, std::byte{0});
    engine.read(volume, 0, span_of(memory, bytes)).wait();
    EXPECT_TRUE(std::equal(data.begin(), data.end(), memory.as<std::byte>()));
    EXPECT_GT(engine.counters().plain, 0u);
  }
  ::umount(folder.c_str());
}

TEST_P(EveryBackend, AFileCutShortIsToldOf) {
  const Scratch scratch;
  const Volume volume({scratch.path()}, 1 << 20);
  std::filesystem::resize_file(volume.file(0).path(), 100'000);
  const Buffer memory = page_memory(1 << 20);
  try {
    engine.read(volume, 0, span_of(memory, 1 << 20)).wait();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("the file is shorter than it was made"));
    EXPECT_EQ(error.code(), ExitCode::requeue);
  }
}

TEST_P(EveryBackend, EndsOnlyWhenAllIsDone) {
  const Scratch scratch;
  constexpr std::size_t bytes = 8 << 20;
  const Volume volume({scratch.path()}, bytes);
  const Buffer memory = page_memory(bytes);
  Event done;
  {
    Engine last(tests::backend_under_test(GetParam(), 2), {.block_bytes = 64 << 10});
    done = last.write(volume, 0, span_of(memory, bytes));
  }
  EXPECT_TRUE(done.ready());
  done.wait();
}

TEST_P(EveryBackend, AReadBeginsOnceTheWritesBeforeItHaveEnded) {
  const Scratch scratch;
  constexpr std::size_t bytes = 4 << 20, turns = 8;
  const Volume volume({scratch.path()}, bytes);
  const Buffer memory = page_memory(bytes);
  const auto half = [&](std::size_t which) {
    return span_of(memory, bytes).subspan(which * bytes / 2, bytes / 2);
  };
  for (unsigned turn = 1; turn <= turns; ++turn) {
    // The other half is what the drive held a turn before, should a read overtake its write.
    std::fill_n(memory.as<std::byte>(), bytes / 2, static_cast<std::byte>(turn));
    const Event written = engine.write(volume, 0, half(0)), beside = engine.write(volume, bytes / 2, half(0));
    engine.read(volume, 0, half(1), {written, beside}).wait();
    EXPECT_TRUE(written.ready() && beside.ready());
    EXPECT_EQ(std::ranges::count(half(1), static_cast<std::byte>(turn)), bytes / 2);
  }
}

TEST(MakeBackend, RefusesAnUnknownName) {
  EXPECT_THROW(make_backend("spdk", 4), Error);
  EXPECT_THROW(make_backend("cufile", 4), Error) << "there is no device";
}

}  // namespace
}  // namespace trireme::offload
