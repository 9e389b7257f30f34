#include "optim/failure_guard.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace trireme::optim {
namespace {

TEST(FailureGuard, StopEndsAtOnce) {
  FailureGuard guard({});
  EXPECT_TRUE(guard.after_step(false));
  EXPECT_FALSE(guard.after_step(true));
}

TEST(FailureGuard, SkipEndsAfterTooManyInARow) {
  FailureGuard guard({.policy = OnFailure::skip, .most_in_a_row = 3});
  for (int round = 0; round < 4; ++round) {
    EXPECT_TRUE(guard.after_step(true));
    EXPECT_TRUE(guard.after_step(true));
    EXPECT_TRUE(guard.after_step(false));
    EXPECT_EQ(guard.rate_factor(), 1.0);
  }
  EXPECT_EQ(guard.state().failed, 8);
  guard.after_step(true), guard.after_step(true);
  EXPECT_FALSE(guard.after_step(true));
}

TEST(FailureGuard, BackOffHalvesDownToTheLeastAndComesBack) {
  FailureGuard guard({.policy = OnFailure::back_off, .least_factor = 0.25, .window = 3});
  for (const double expected : {0.5, 0.25, 0.25}) {
    EXPECT_TRUE(guard.after_step(true));
    EXPECT_EQ(guard.rate_factor(), expected);
  }
  for (const double expected : {0.25, 0.25, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0}) {
    EXPECT_TRUE(guard.after_step(false));
    EXPECT_EQ(guard.rate_factor(), expected);
  }
}

TEST(FailureGuard, GoesOnFromItsState) {
  FailureGuard guard({.policy = OnFailure::back_off, .window = 2});
  guard.after_step(true), guard.after_step(false);
  FailureGuard other({.policy = OnFailure::back_off, .window = 2});
  other.restore(guard.state());
  EXPECT_EQ(other.rate_factor(), 0.5);
  other.after_step(false);
  EXPECT_EQ(other.rate_factor(), 1.0);
}

TEST(FailureGuard, UnknownPoliciesAreRefused) {
  EXPECT_EQ(failure_policy_from_name("back_off"), OnFailure::back_off);
  EXPECT_THROW(failure_policy_from_name("backoff"), Error);
}

}  // namespace
}  // namespace trireme::optim
