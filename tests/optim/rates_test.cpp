#include "optim/rates.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme::optim {
namespace {

TEST(Rates, WarmUpRisesInALineToThePeak) {
  const RateSchedule schedule{
      .shape = RateShape::constant, .peak = 1.0, .warmup_steps = 4, .total_steps = 10};
  EXPECT_EQ(rate_at(schedule, 1), 0.0);
  EXPECT_EQ(rate_at(schedule, 3), 0.5);
  EXPECT_EQ(rate_at(schedule, 5), 1.0);
  EXPECT_EQ(rate_at(schedule, 10), 1.0);
}

TEST(Rates, LinearFallsToTheLeast) {
  const RateSchedule schedule{
      .shape = RateShape::linear, .peak = 1.0, .least = 0.2, .warmup_steps = 2, .total_steps = 10};
  EXPECT_DOUBLE_EQ(rate_at(schedule, 3), 1.0);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 7), 0.6);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 11), 0.2);
  EXPECT_DOUBLE_EQ(rate_at(schedule, 500), 0.2);
}

TEST(Rates, CosineIsHalfWayInTheMiddle) {
  const RateSchedule schedule{
      .shape = RateShape::cosine, .peak = 1.0, .least = 0.1, .warmup_steps = 0, .total_steps = 10};
  EXPECT_DOUBLE_EQ(rate_at(schedule, 1), 1.0);
  EXPECT_NEAR(rate_at(schedule, 6), 0.55, 1e-12);
  EXPECT_NEAR(rate_at(schedule, 11), 0.1, 1e-12);
}

/// Values of torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=10).
TEST(Rates, OneCycleRisesAndFallsAsPyTorchs) {
  const RateSchedule schedule{.shape = RateShape::one_cycle, .peak = 1.0, .total_steps = 10};
  EXPECT_NEAR(rate_at(schedule, 1), 0.04, 1e-12);
  EXPECT_NEAR(rate_at(schedule, 2), 0.52, 1e-12);
  EXPECT_NEAR(rate_at(schedule, 3), 1.0, 1e-12);
  EXPECT_NEAR(rate_at(schedule, 4), 0.9504846320134737, 1e-9);
  EXPECT_NEAR(rate_at(schedule, 10), 4e-6, 1e-12);
}

TEST(Rates, ARatioOfWarmUpIsRoundedUp) {
  EXPECT_EQ(warmup_steps_of(0.03, 100), 3);
  EXPECT_EQ(warmup_steps_of(0.031, 100), 4);
  EXPECT_EQ(warmup_steps_of(0.0, 100), 0);
}

TEST(Rates, UnknownNamesAreRefusedWithTheKnownOnes) {
  EXPECT_EQ(rate_shape_from_name("cosine"), RateShape::cosine);
  EXPECT_THROW(rate_shape_from_name("cosin"), Error);
}

}  // namespace
}  // namespace trireme::optim
