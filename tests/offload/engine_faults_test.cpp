#include <atomic>
#include <cerrno>
#include <functional>
#include <random>

#include <gmock/gmock.h>

#include "core/error.h"
#include "offload/nvme/engine.h"
#include "tests/offload/backends_under_test.h"
#include "tests/offload/scratch.h"

namespace trireme::offload {
namespace {

using testing::HasSubstr;
using tests::Scratch;

/// Does what another backend does, and lies about some of it: asked to, a request moves fewer bytes, or
/// nothing and an error comes back.
class FaultyBackend final : public Backend {
 public:
  /// The result to give for a request, by its number from 0; nothing: the true one. Fewer bytes than asked
  /// for are really all that is moved.
  using Fault = std::function<std::optional<std::int64_t>(std::uint64_t number, const Request& request)>;
  FaultyBackend(std::unique_ptr<Backend> inner, Fault fault)
      : inner_(std::move(inner)), fault_(std::move(fault)) {}

  std::string_view name() const override { return inner_->name(); }
  unsigned depth() const override { return inner_->depth(); }
  void wake() noexcept override { inner_->wake(); }
  bool register_file(int descriptor) override { return inner_->register_file(descriptor); }
  bool register_memory(std::span<std::byte> memory) override { return inner_->register_memory(memory); }
  void submit(std::span<const Request> requests) override {
    std::vector<Request> honest;
    for (Request request : requests) {
      const auto result = fault_(number_++, request);
      if (result && *result <= 0) {
        lies_.push_back({request.tag, *result});
        continue;
      }
      if (result) request.bytes = static_cast<std::uint32_t>(std::min<std::int64_t>(*result, request.bytes));
      honest.push_back(request);
    }
    if (!honest.empty()) inner_->submit(honest);
    if (!lies_.empty()) inner_->wake();
  }
  std::size_t wait(std::span<Completion> into) override {
    std::size_t count = 0;
    for (; count < into.size() && !lies_.empty(); lies_.pop_back()) into[count++] = lies_.back();
    return count > 0 ? count : inner_->wait(into);
  }

 private:
  std::unique_ptr<Backend> inner_;
  Fault fault_;
  std::uint64_t number_ = 0;
  std::vector<Completion> lies_;
};

constexpr std::size_t bytes = 384 << 10;
constexpr std::uint32_t block = 64 << 10;
constexpr std::uint64_t blocks = bytes / block;

struct Bench {
  explicit Bench(const char* backend, FaultyBackend::Fault fault)
      : engine(std::make_unique<FaultyBackend>(tests::backend_under_test(backend, 4), std::move(fault)),
               {.block_bytes = block, .attempts = 8}) {
    engine.register_volume(volume);
    engine.register_memory({out.as<std::byte>(), bytes});
    for (std::size_t i = 0; i < bytes; ++i) out.as<char>()[i] = static_cast<char>(i * i >> 5);
  }
  Event write() { return engine.write(volume, 0, {out.as<std::byte>(), bytes}); }
  Event read() { return engine.read(volume, 0, {back.as<std::byte>(), bytes}); }
  bool same() const { return std::equal(out.as<char>(), out.as<char>() + bytes, back.as<char>()); }

  Scratch scratch;
  Volume volume{{scratch.make("a"), scratch.make("b")}, bytes, {.stripe = 128 << 10}};
  Buffer out = tests::memory_under_test(bytes), back = tests::memory_under_test(bytes);
  Engine engine;
};

class Faults : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Backends, Faults, testing::ValuesIn(tests::backends_under_test()));

/// Each completion of a write and of the read back, one after the other, is the one that goes wrong.
template <typename Check>
void at_every_completion(const char* backend, std::int64_t result, const Check& check) {
  for (std::uint64_t victim = 0; victim < 2 * blocks; ++victim) {
    Bench bench(backend, [&](std::uint64_t number, const Request&) -> std::optional<std::int64_t> {
      if (number == victim) return result;
      return std::nullopt;
    });
    check(bench, victim);
    if (testing::Test::HasFailure()) return;
  }
}

TEST_P(Faults, ShortTransfersGoOn) {
  // Whole sectors, less than one, and an odd number of bytes: under direct access all must be asked for again
  // from a sector's start.
  for (const std::int64_t moved : {8192, 512, 4097, 1, 65535}) {
    at_every_completion(GetParam(), moved, [](Bench& bench, std::uint64_t victim) {
      bench.write().wait();
      bench.read().wait();
      EXPECT_TRUE(bench.same()) << victim;
      EXPECT_EQ(bench.engine.counters().resumed, 1u);
      EXPECT_EQ(bench.engine.counters().bytes_read, bytes);
    });
  }
}

TEST_P(Faults, InterruptionsAndRefusalsForNowAreTriedAgain) {
  for (const int number : {EINTR, EAGAIN})
    at_every_completion(GetParam(), -number, [](Bench& bench, std::uint64_t victim) {
      bench.write().wait();
      bench.read().wait();
      EXPECT_TRUE(bench.same()) << victim;
    });
}

TEST_P(Faults, ARequestThatDirectAccessRefusesGoesThroughTheCache) {
  at_every_completion(GetParam(), -EINVAL, [](Bench& bench, std::uint64_t) {
    if (bench.volume.file(0).direct() < 0) return;
    bench.write().wait();
    bench.read().wait();
    EXPECT_TRUE(bench.same());
    EXPECT_EQ(bench.engine.counters().plain, 1u);
  });
}

void expect_error(const Event& event, ExitCode code, const char* text) {
  try {
    event.wait();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_THAT(error.what(), HasSubstr(text));
    EXPECT_THAT(error.what(), HasSubstr("trireme-spill."));
  }
}

TEST_P(Faults, ABrokenDriveEndsItsTransferWithAClearError) {
  for (const int number : {EIO, ENODEV})
    at_every_completion(GetParam(), -number, [&](Bench& bench, std::uint64_t victim) {
      const Event write = bench.write();
      if (victim < blocks) return expect_error(write, ExitCode::requeue, "write of 65536 bytes");
      write.wait();
      expect_error(bench.read(), ExitCode::requeue, "read of 65536 bytes");
      bench.read().wait();
      EXPECT_TRUE(bench.same()) << "the engine works on";
    });
}

TEST_P(Faults, WhatWaitsForABrokenWriteFailsWithIt) {
  for (std::uint64_t victim = 0; victim < blocks; ++victim) {
    Bench bench(GetParam(), [&](std::uint64_t number, const Request&) -> std::optional<std::int64_t> {
      if (number == victim) return -EIO;
      return std::nullopt;
    });
    const Event write = bench.write();
    expect_error(bench.engine.read(bench.volume, 0, {bench.back.as<std::byte>(), bytes}, {write}),
                 ExitCode::requeue, "write of 65536 bytes");
    EXPECT_EQ(bench.engine.counters().bytes_read, 0u);
    bench.read().wait();
  }
}

TEST_P(Faults, AFullDriveSaysWhatToDo) {
  at_every_completion(GetParam(), -ENOSPC, [](Bench& bench, std::uint64_t victim) {
    if (victim < blocks)
      expect_error(bench.write(), ExitCode::configuration,
                   "No space left on device; free some space or name another folder in offload.nvme_paths");
  });
}

TEST_P(Faults, WritesThatMoveNothingEndAtLast) {
  Bench bench(GetParam(), [](std::uint64_t, const Request& request) -> std::optional<std::int64_t> {
    return request.offset == 2 * block ? std::optional<std::int64_t>(0) : std::nullopt;
  });
  expect_error(bench.write(), ExitCode::configuration, "nothing more is written");
}

TEST_P(Faults, ForEverInterruptedEndsAtLast) {
  Bench bench(GetParam(),
              [](std::uint64_t, const Request&) -> std::optional<std::int64_t> { return -EINTR; });
  expect_error(bench.write(), ExitCode::requeue, "Interrupted system call");
}

TEST_P(Faults, AnythingAtRandom) {
  std::mt19937 random(11);
  constexpr std::array<std::int64_t, 6> results{-EINTR, -EAGAIN, 4096, 100, 20480, 65535};
  Bench bench(GetParam(), [&](std::uint64_t, const Request& request) -> std::optional<std::int64_t> {
    if (random() % 2 == 0) return std::nullopt;
    const std::int64_t result = results[random() % results.size()];
    return result < request.bytes ? std::optional(result) : std::nullopt;
  });
  for (int turn = 0; turn < 10; ++turn) {
    bench.out.as<char>()[turn * 1000] ^= 1;
    bench.write().wait();
    bench.read().wait();
    ASSERT_TRUE(bench.same()) << turn;
  }
  EXPECT_GT(bench.engine.counters().resumed, 50u);
}

}  // namespace
}  // namespace trireme::offload
