#include "sharding/schedule.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/sharding/random_schedules.h"

namespace trireme::sharding {
namespace {

ScheduleFacts stack(int world, int blocks, int parameters, int gradients, int optimizer, int secondary = 0) {
  ScheduleFacts facts;
  facts.world = world;
  for (int i = 0; i < blocks; ++i) {
    facts.groups.push_back(
        {"block." + std::to_string(i), 1024, 4, true, parameters, gradients, optimizer, secondary});
    facts.units.push_back({"block." + std::to_string(i), {i}});
  }
  return facts;
}

TEST(Schedule, InvariantsHoldForTenThousandRandomPlacements) {
  std::mt19937 random(7);
  for (int round = 0; round < 10000; ++round) {
    const RandomCase made = random_case(random);
    ASSERT_NO_THROW(validate(build_schedule(made.facts, made.options))) << "round " << round;
  }
}

TEST(Schedule, AnyMissingWaitIsFound) {
  std::mt19937 random(8);
  int removed = 0;
  for (int round = 0; round < 2000; ++round) {
    const RandomCase made = random_case(random);
    Schedule schedule = build_schedule(made.facts, made.options);
    Op& op = schedule.ops[random() % schedule.ops.size()];
    if (op.waits.empty()) continue;
    op.waits.erase(op.waits.begin() + static_cast<std::ptrdiff_t>(random() % op.waits.size()));
    ++removed;
    ASSERT_THROW(validate(schedule), Error) << "round " << round;
  }
  EXPECT_GT(removed, 200);
}

TEST(Schedule, AnyMissingOpIsFound) {
  std::mt19937 random(9);
  for (int round = 0; round < 2000; ++round) {
    const RandomCase made = random_case(random);
    Schedule schedule = build_schedule(made.facts, made.options);
    const std::size_t victim = random() % schedule.ops.size();
    schedule.ops.erase(schedule.ops.begin() + static_cast<std::ptrdiff_t>(victim));
    for (Op& op : schedule.ops)
      for (int& wait : op.waits)
        if (wait >= static_cast<int>(victim)) --wait;
    ASSERT_THROW(validate(schedule), Error) << "round " << round;
  }
}

std::uint64_t gathered(const Schedule& schedule, Route route) {
  std::uint64_t bytes = 0;
  for (const Op& op : schedule.ops)
    if (op.kind == OpKind::gather && op.route == route) bytes += op.bytes;
  return bytes;
}

TEST(Schedule, GathersForForwardAndBackwardButForTheBlocksStillInTheirSlots) {
  const int blocks = 12, depth = 1;
  const Schedule schedule = build_schedule(stack(4, blocks, 4, 4, 4), {.prefetch_depth = depth});
  EXPECT_EQ(gathered(schedule, Route::primary), (2u * blocks - (depth + 1)) * 4096);
}

TEST(Schedule, WhatBackwardDoesNotReadIsNotGatheredForIt) {
  ScheduleFacts facts = stack(4, 12, 4, 4, 4);
  facts.units.front().keeps_little = true;
  facts.units.front().backward_reads_weights = false;
  const Schedule schedule = build_schedule(facts, {.micro_batches = 3});
  validate(schedule);
  const auto of_first = std::count_if(schedule.ops.begin(), schedule.ops.end(), [](const Op& op) {
    return op.kind == OpKind::gather && op.target == 0;
  });
  EXPECT_EQ(of_first, 3);
}

TEST(Schedule, UnitMajorGathersOnceForAllMicroBatches) {
  const auto facts = stack(4, 16, 4, 4, 4);
  const auto by_micro_batch = build_schedule(facts, {.micro_batches = 4});
  const auto by_unit = build_schedule(facts, {.micro_batches = 4, .unit_major = true});
  EXPECT_LE(static_cast<double>(gathered(by_unit, Route::primary)),
            0.27 * static_cast<double>(gathered(by_micro_batch, Route::primary)));
}

TEST(Schedule, ASecondaryCopyTakesTheLaterGathers) {
  const Schedule schedule = build_schedule(stack(4, 12, 4, 4, 4, 2), {.micro_batches = 3});
  EXPECT_EQ(gathered(schedule, Route::primary), 12u * 4096);
  EXPECT_GT(gathered(schedule, Route::secondary), 0u);
}

TEST(Schedule, ASecondaryCopyOfSpanOneKeepsParametersWhole) {
  const Schedule schedule = build_schedule(stack(4, 12, 4, 4, 4, 1), {.micro_batches = 3});
  EXPECT_EQ(gathered(schedule, Route::primary), 12u * 4096);
  EXPECT_EQ(gathered(schedule, Route::secondary), 0u);
}

std::uint64_t moved(const Schedule& schedule, OpKind kind) {
  std::uint64_t bytes = 0;
  for (const Op& op : schedule.ops)
    if (op.kind == kind) bytes += op.bytes;
  return bytes;
}

TEST(Schedule, AGradientGoesToTheHostOnceAndComesBackOnlyToBeAddedTo) {
  constexpr std::uint64_t blocks = 12, slice = 1024;
  for (const int gradients : {1, 4}) {
    ScheduleFacts facts = stack(4, blocks, 1, gradients, 4);
    for (GroupFacts& group : facts.groups) group.gradient_tier = Tier::host;
    const std::uint64_t gradient = 4096u / static_cast<std::uint64_t>(gradients);
    ScheduleOptions options{.reduce_depth = 1, .lowers_gradients = true};
    EXPECT_EQ(build_schedule(facts, options).slice_slots.bytes.size(), 2u);
    for (const bool unit_major : {false, true}) {
      options.unit_major = unit_major;
      options.micro_batches = unit_major ? 3 : 1;
      const Schedule once = build_schedule(facts, options);
      EXPECT_EQ(moved(once, OpKind::lower), blocks * slice) << gradients;
      EXPECT_EQ(moved(once, OpKind::lift), 0u) << gradients;
    }
    options.unit_major = false, options.micro_batches = 3;
    const Schedule often = build_schedule(facts, options);
    EXPECT_EQ(moved(often, OpKind::lower), blocks * (2 * gradient + slice)) << gradients;
    EXPECT_EQ(moved(often, OpKind::lift), blocks * 2 * gradient) << gradients;
    options.lowers_gradients = false;
    const Schedule stayed = build_schedule(facts, options);
    EXPECT_EQ(moved(stayed, OpKind::lower) + moved(stayed, OpKind::lift), 0u);
    EXPECT_TRUE(stayed.slice_slots.bytes.empty());
  }
}

TEST(Schedule, NothingMovesOnOneRank) {
  const Schedule schedule = build_schedule(stack(1, 5, 1, 1, 1), {.micro_batches = 2});
  for (const Op& op : schedule.ops) EXPECT_EQ(op.communicator, -1);
}

TEST(Schedule, IsMadeAndValidatedForSixteenThousandRanks) {
  const Schedule schedule = build_schedule(stack(16384, 128, 16384, 16384, 16384, 8), {.micro_batches = 2});
  EXPECT_NO_THROW(validate(schedule));
}

TEST(Schedule, TheHashTellsPlacementsApart) {
  const auto hash = [](int span) { return hash_of(build_schedule(stack(4, 3, span, span, span), {})); };
  EXPECT_EQ(hash(4), hash(4));
  EXPECT_NE(hash(4), hash(2));
  EXPECT_NE(hash(1), hash(2));
}

}  // namespace
}  // namespace trireme::sharding
