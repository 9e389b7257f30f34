#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include "core/error.h"
#include "tests/comm/conformance.h"

namespace trireme::comm::tests {
namespace {

using testing::HasSubstr;

/// What each rank calls, where the last one differs, and the words for both.
struct Mismatch {
  Call most, last;
  std::string most_words, last_words;
};

std::vector<Mismatch> mismatches(float* a, float* b, int ranks) {
  const std::size_t n = 12;
  const Shards even = Shards::even(n / static_cast<std::size_t>(ranks), ranks);
  std::vector<std::size_t> counts(static_cast<std::size_t>(ranks), 1);
  counts[0] = even.total() - counts.size() + 1;
  const Call sum = Call::all_reduce(a, b, n, DType::f32, Reduction::sum);
  const Call gather = Call::all_gather(a, b, even, DType::f32);
  return {
      {sum, gather, "all_reduce", "all_gather"},
      {sum, Call::barrier(), "all_reduce", "barrier"},
      {sum, Call::all_reduce(a, b, n, DType::bf16, Reduction::sum), "f32", "bf16"},
      {sum, Call::all_reduce(a, b, n + 1, DType::f32, Reduction::sum), "12", "13"},
      {sum, Call::all_reduce(a, b, n * 10000, DType::f32, Reduction::sum), "12", "120000"},
      {sum, Call::all_reduce(a, b, n, DType::f32, Reduction::max), "sum", "max"},
      {Call::broadcast(a, n, DType::f32, 0), Call::broadcast(a, n, DType::f32, 1), "root 0", "root 1"},
      {gather, Call::all_gather(a, b, Shards::of(counts), DType::f32), "all_gather", "shards"},
  };
}

TEST_P(Conformance, CallsThatDifferAreRefusedOnAllRanks) {
  if (!GetParam().finds_mismatches) GTEST_SKIP() << "this backend does not compare calls";
  on_each_rank([this](World& world) {
    if (world.size() == 1) return;
    CommunicatorOptions options;
    options.name = "careful";
    options.time_limit = std::chrono::seconds(20);
    const auto communicator = everyone(world, options);
    std::vector<float> a(130000), b(130000);
    for (const Mismatch& mismatch : mismatches(a.data(), b.data(), world.size())) {
      const bool last = world.rank() == world.size() - 1;
      try {
        communicator->run(last ? mismatch.last : mismatch.most);
        ADD_FAILURE() << mismatch.most_words << " and " << mismatch.last_words << " were taken for one call";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::internal);
        EXPECT_THAT(error.what(), HasSubstr(mismatch.most_words));
        EXPECT_THAT(error.what(), HasSubstr(mismatch.last_words));
        EXPECT_THAT(error.what(), HasSubstr("careful"));
      }
      float one = 1, sum = 0;
      communicator->all_reduce(&one, &sum, 1, DType::f32, Reduction::sum);
      EXPECT_EQ(sum, static_cast<float>(world.size()));
    }
  });
}

TEST_P(Conformance, MessagesThatDifferAreRefusedOnBothSides) {
  if (!GetParam().finds_mismatches) GTEST_SKIP() << "this backend does not compare calls";
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    std::vector<float> data(500000);
    for (const std::size_t sent : {10u, 500000u})
      if (world.rank() < 2 && world.size() > 1) {
        const auto exchange = [&](std::size_t count) {
          if (world.rank() == 0) communicator->send(data.data(), sent, DType::f32, 1);
          if (world.rank() == 1) communicator->receive(data.data(), count, DType::f32, 0);
        };
        EXPECT_THROW(exchange(11), Error);
        EXPECT_NO_THROW(exchange(sent));
      }
  });
}

TEST_P(Conformance, AnAllToAllThatDoesNotAddUpIsRefusedOnAllRanks) {
  if (!GetParam().finds_mismatches) GTEST_SKIP() << "this backend does not compare calls";
  on_each_rank([this](World& world) {
    if (world.size() == 1) return;
    const auto communicator = everyone(world);
    std::vector<std::size_t> counts(static_cast<std::size_t>(world.size()), 3);
    const Shards received = Shards::of(counts);
    if (world.rank() == 0) counts[1] = 4;
    std::vector<float> in(100), out(100);
    EXPECT_THROW(communicator->all_to_all(in.data(), out.data(), Shards::of(counts), received, DType::f32),
                 Error);
    EXPECT_NO_THROW(communicator->barrier());
  });
}

TEST_P(Conformance, CallsThatMakeNoSenseAreRefusedBeforeAnyoneWaits) {
  on_each_rank([this](World& world) {
    const auto communicator = everyone(world);
    std::vector<float> data(1000);
    const int ranks = world.size();
    EXPECT_THROW(communicator->all_gather(data.data(), data.data(), Shards::even(1, ranks + 1), DType::f32),
                 Error);
    EXPECT_THROW(communicator->all_reduce(data.data(), data.data() + 1, 10, DType::f32, Reduction::sum),
                 Error);
    EXPECT_THROW(communicator->all_reduce(nullptr, data.data(), 10, DType::f32, Reduction::sum), Error);
    EXPECT_THROW(communicator->broadcast(data.data(), 1, DType::f32, ranks), Error);
    EXPECT_THROW(communicator->send(data.data(), 1, DType::f32, world.rank()), Error);
    EXPECT_THROW(communicator->all_reduce(data.data(), data.data(), 1, DType::boolean, Reduction::mean),
                 Error);
    EXPECT_EQ(communicator->sequence(), 0u);
    EXPECT_NO_THROW(communicator->barrier());
  });
}

TEST_P(Conformance, WhoNeverComesIsNamedWithinTheTimeLimit) {
  if (!GetParam().survives_time_outs) GTEST_SKIP() << "a rank of this backend that gives up cannot go on";
  on_each_rank([this](World& world) {
    if (world.size() == 1) return;
    const auto meeting = everyone(world);
    CommunicatorOptions options;
    options.name = "hasty";
    options.time_limit = std::chrono::milliseconds(500);
    std::vector<float> data(200000);
    for (const std::size_t count : {5u, 200000u}) {
      const auto communicator = everyone(world, options);
      meeting->barrier();
      communicator->barrier();
      if (world.rank() != world.size() - 1) {
        const auto began = std::chrono::steady_clock::now();
        try {
          communicator->all_reduce(data.data(), data.data(), count, DType::f32, Reduction::sum);
          ADD_FAILURE() << "an operation ended without one of its ranks";
        } catch (const Error& error) {
          EXPECT_EQ(error.code(), ExitCode::hang);
          if (GetParam().finds_mismatches) {
            EXPECT_THAT(error.what(),
                        HasSubstr("rank " + std::to_string(world.size() - 1) + " has not come"));
          }
          EXPECT_THAT(error.what(), HasSubstr("hasty"));
        }
        EXPECT_LT(std::chrono::steady_clock::now() - began, options.time_limit + std::chrono::seconds(5));
        EXPECT_THROW(communicator->barrier(), Error);
      }
      meeting->barrier();
      if (world.rank() == world.size() - 1 && GetParam().finds_mismatches) {
        EXPECT_THROW(communicator->barrier(), Error)
            << "a rank that comes too late must not take the others' last call for its own";
      }
      meeting->barrier();
    }
  });
}

}  // namespace
}  // namespace trireme::comm::tests
