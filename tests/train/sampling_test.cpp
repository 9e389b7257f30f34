#include "train/sampling.h"

#include <map>
#include <vector>

#include <gtest/gtest.h>

namespace trireme::train {
namespace {

TEST(Sampling, WithoutTemperatureTheFirstOfTheLikeliest) {
  const std::vector<float> logits{0.5f, 2.0f, -1.0f, 2.0f};
  EXPECT_EQ(choose_token(logits, {}, 0), 1);
}

TEST(Sampling, DrawsEachTokenAsOftenAsItIsLikely) {
  const std::vector<float> logits{std::log(0.6f), std::log(0.1f), std::log(0.3f)};
  std::map<std::int64_t, int> drawn;
  constexpr int draws = 20000;
  for (int i = 0; i < draws; ++i) ++drawn[choose_token(logits, {1.0, 1.0, 7}, static_cast<std::uint64_t>(i))];
  EXPECT_NEAR(drawn[0], 0.6 * draws, 0.02 * draws);
  EXPECT_NEAR(drawn[1], 0.1 * draws, 0.02 * draws);
  EXPECT_NEAR(drawn[2], 0.3 * draws, 0.02 * draws);
}

TEST(Sampling, TopPLeavesTheUnlikelyOut) {
  const std::vector<float> logits{std::log(0.6f), std::log(0.1f), std::log(0.3f)};
  for (std::uint64_t i = 0; i < 500; ++i) {
    EXPECT_NE(choose_token(logits, {1.0, 0.85, 7}, i), 1);
    EXPECT_EQ(choose_token(logits, {1.0, 0.0, 7}, i), 0);
  }
}

TEST(Sampling, DependsOnSeedAndPositionAlone) {
  const std::vector<float> logits(100, 0.0f);
  const SamplingSettings one{1.0, 1.0, 1}, two{1.0, 1.0, 2};
  int different = 0;
  for (std::uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(choose_token(logits, one, i), choose_token(logits, one, i));
    different += choose_token(logits, one, i) != choose_token(logits, two, i);
  }
  EXPECT_GT(different, 40);
}

}  // namespace
}  // namespace trireme::train
