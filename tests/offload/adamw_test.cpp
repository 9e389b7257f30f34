#include "offload/optimizer/adamw.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "offload/optimizer/scalar.h"
#include "offload/optimizer/team.h"
#include "tests/offload/every_target.h"

namespace trireme::offload {
namespace {

/// A vector of parameters with all that is updated, the same for the same seed.
struct State {
  State(std::size_t count, DType of_gradient, DType of_copy, unsigned seed = 1)
      : gradient_type(of_gradient),
        copy_type(of_copy),
        master(count),
        mean(count),
        square(count),
        gradient(count * 4),
        copy(count * 4 + 64) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < count; ++i) {
      master[i] = normal(random), mean[i] = normal(random) * 0.1f;
      square[i] = std::abs(normal(random)) * 0.01f;
      if (i % 17 == 0) mean[i] = square[i] = 0;
      scalar::store(gradient.data(), gradient_type, static_cast<std::int64_t>(i), normal(random));
    }
  }
  AdamWRun run(std::int64_t begin, std::int64_t count) {
    const auto at = [&](std::vector<std::byte>& data, DType type) {
      return data.data() + static_cast<std::size_t>(begin) * size_of(type);
    };
    AdamWRun made;
    made.master = master.data() + begin, made.mean = mean.data() + begin, made.square = square.data() + begin;
    made.gradient = at(gradient, gradient_type), made.gradient_type = gradient_type;
    made.copy = at(copy, copy_type), made.copy_type = copy_type;
    made.count = count;
    return made;
  }
  AdamWRun run() { return run(0, static_cast<std::int64_t>(master.size())); }
  /// The same run with its masters in halves, of which the copy is one.
  AdamWRun split_run() {
    AdamWRun made = run();
    made.master = nullptr, made.lower = lower.data();
    return made;
  }
  /// Some masters at ties, at the ends of the range, and beyond it; some gradients that leave them there.
  void make_hostile() {
    for (std::size_t i = 0; i < master.size(); ++i) {
      const std::uint32_t upper = std::bit_cast<std::uint32_t>(master[i]) & 0xffff0000u;
      if (i % 3 == 0) master[i] = std::bit_cast<float>(upper | 0x8000u);
      if (i % 7 == 0) master[i] = i % 2 == 0 ? std::numeric_limits<float>::max() : -1e-41f;
      if (i % 11 == 0) master[i] = i % 2 == 0 ? -std::numeric_limits<float>::infinity() : std::nanf("5");
      if (i % 5 < 2) {
        mean[i] = square[i] = 0;
        scalar::store(gradient.data(), gradient_type, static_cast<std::int64_t>(i), 0.0f);
      }
    }
    make_splittable(master.data(), static_cast<std::int64_t>(master.size()));
    lower.resize(master.size());
    offload::split(master.data(), reinterpret_cast<BFloat16*>(copy.data()), lower.data(),
                   static_cast<std::int64_t>(master.size()));
  }
  std::vector<float> joined_halves() const {
    std::vector<float> values(master.size());
    join(reinterpret_cast<const BFloat16*>(copy.data()), lower.data(), values.data(),
         static_cast<std::int64_t>(values.size()));
    return values;
  }
  bool operator==(const State& other) const {
    const auto same = [](const std::vector<float>& a, const std::vector<float>& b) {
      return std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
    };
    return same(master, other.master) && same(mean, other.mean) && same(square, other.square) &&
           copy == other.copy;
  }

  DType gradient_type, copy_type;
  std::vector<float> master, mean, square;
  std::vector<std::byte> gradient, copy;
  std::vector<std::uint16_t> lower;
};

/// A tie is where an update would leave most values of one whose factors do nothing.
AdamWFactors idle() {
  return AdamWFactors({.learning_rate = 0, .step = 1});
}

AdamWFactors factors(std::int64_t step = 3) {
  return AdamWFactors(
      {.learning_rate = 1e-3, .beta2 = 0.95, .weight_decay = 0.1, .gradient_scale = 0.7, .step = step});
}

TEST(HostAdamW, EveryInstructionSetGivesTheReferencesBits) {
  tests::on_every_target([](const std::string& target) {
    for (const DType gradient : {DType::f32, DType::bf16, DType::f16})
      for (const DType copy : {DType::f32, DType::bf16, DType::f16})
        for (const std::size_t count : {1u, 15u, 64u, 1003u}) {
          State ours(count, gradient, copy), plain(count, gradient, copy);
          for (int step = 1; step <= 3; ++step) {
            adamw(factors(step), ours.run());
            reference::adamw(factors(step), plain.run());
          }
          ASSERT_TRUE(ours == plain) << target << ' ' << name_of(gradient) << ' ' << name_of(copy) << ' '
                                     << count;
        }
  });
}

TEST(HostAdamW, MastersInHalvesHaveTheBitsOfWholeOnes) {
  tests::on_every_target([](const std::string& target) {
    for (const DType gradient : {DType::f32, DType::bf16, DType::f16})
      for (const std::size_t count : {1u, 15u, 64u, 5003u}) {
        State whole(count, gradient, DType::bf16);
        whole.make_hostile();
        State halves = whole, reference = whole;
        for (int step = 0; step < 4; ++step) {
          const AdamWFactors now = step == 0 ? idle() : factors(step);
          adamw(now, whole.run()), adamw(now, halves.split_run()),
              reference::adamw(now, reference.split_run());
          const std::vector<float> joined = halves.joined_halves(), plainly = reference.joined_halves();
          const std::size_t bytes = count * sizeof(float);
          ASSERT_EQ(std::memcmp(joined.data(), whole.master.data(), bytes), 0) << target << count;
          ASSERT_EQ(std::memcmp(plainly.data(), whole.master.data(), bytes), 0) << target << count;
          ASSERT_EQ(halves.copy, whole.copy) << target << count;
          ASSERT_EQ(halves.mean, whole.mean) << target << count;
        }
      }
  });
}

/// A tie that an update makes, not only one that it is given: the values of an update of nothing are its own.
TEST(HostAdamW, TiesMoveTowardsTheParameter) {
  State state(64, DType::f32, DType::bf16);
  std::fill(state.gradient.begin(), state.gradient.end(), std::byte{0});
  std::fill(state.mean.begin(), state.mean.end(), 0.0f);
  for (std::size_t i = 0; i < 64; ++i)
    state.master[i] = std::bit_cast<float>(0x3f800000u + (static_cast<std::uint32_t>(i) << 16) + 0x8000u);
  adamw(idle(), state.run());
  for (std::size_t i = 0; i < 64; ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(state.master[i]),
              0x3f800000u + (static_cast<std::uint32_t>(i) << 16) + (i % 2 == 0 ? 0x7fffu : 0x8000u));
}

TEST(HostAdamW, NoCutAndNoNumberOfThreadsChangesABit) {
  constexpr std::int64_t count = 3 << 20;
  State whole(count, DType::bf16, DType::bf16);
  adamw(factors(), whole.run());
  for (const std::vector<int>& cores :
       {std::vector<int>{0}, std::vector<int>{0, 1}, std::vector<int>{0, 0, 1}}) {
    Team team(cores);
    State cut(count, DType::bf16, DType::bf16);
    team.for_ranges(count, 1, [&](std::int64_t begin, std::int64_t end) {
      adamw(factors(), cut.run(begin, end - begin));
    });
    EXPECT_TRUE(cut == whole) << cores.size();
  }
}

TEST(HostAdamW, WritesNoCopyWhereNoneIsWanted) {
  State with(500, DType::f32, DType::bf16), without(500, DType::f32, DType::bf16);
  AdamWRun run = without.run();
  run.copy = nullptr;
  adamw(factors(), run);
  adamw(factors(), with.run());
  EXPECT_EQ(with.master, without.master);
  EXPECT_EQ(without.copy, std::vector<std::byte>(without.copy.size()));
}

TEST(HostAdamW, TouchesNothingBeyondItsRun) {
  State state(1000, DType::bf16, DType::bf16), before = state;
  adamw(factors(), state.run(100, 333));
  for (const std::size_t i : {0u, 99u, 433u, 999u}) {
    EXPECT_EQ(state.master[i], before.master[i]);
    EXPECT_EQ(state.mean[i], before.mean[i]);
  }
  EXPECT_TRUE(std::equal(state.copy.begin() + 866, state.copy.end(), before.copy.begin() + 866));
  EXPECT_NE(state.master[100], before.master[100]);
  EXPECT_NE(state.master[432], before.master[432]);
}

}  // namespace
}  // namespace trireme::offload
