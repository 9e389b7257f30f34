#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "comm/bench/fit.h"

namespace trireme::comm::bench {
namespace {

constexpr double alpha = 2e-6, rate = 12e9;

std::vector<Sample> samples_with_noise(double noise, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal(0, noise);
  std::vector<Sample> samples;
  for (double bytes = 1024; bytes <= 256.0 * (1 << 20); bytes *= 2)
    samples.push_back({bytes, (alpha + bytes / rate) * std::exp(normal(generator))});
  return samples;
}

TEST(BenchFit, RecoversAnExactLine) {
  const auto fit = fit_alpha_beta(samples_with_noise(0, 1));
  ASSERT_TRUE(fit);
  EXPECT_NEAR(fit->alpha_s, alpha, 1e-3 * alpha);
  EXPECT_NEAR(fit->bytes_per_second, rate, 1e-3 * rate);
  EXPECT_NEAR(fit->seconds(12e3), 3e-6, 1e-8);
  EXPECT_LT(fit->relative_error, 1e-6);
}

TEST(BenchFit, RecoversAlphaAndRateUnderNoise) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const auto fit = fit_alpha_beta(samples_with_noise(0.05, seed));
    ASSERT_TRUE(fit);
    EXPECT_NEAR(fit->alpha_s, alpha, 0.15 * alpha) << seed;
    EXPECT_NEAR(fit->bytes_per_second, rate, 0.15 * rate) << seed;
    EXPECT_LT(fit->relative_error, 0.12);
  }
}

TEST(BenchFit, SamplesThatWereDisturbedDoNotMoveTheLine) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    auto samples = samples_with_noise(0.02, seed);
    for (const std::size_t disturbed : {0u, 5u, 9u, 18u}) samples[disturbed].seconds *= 10;
    const auto fit = fit_alpha_beta(samples);
    ASSERT_TRUE(fit);
    EXPECT_NEAR(fit->alpha_s, alpha, 0.1 * alpha) << seed;
    EXPECT_NEAR(fit->bytes_per_second, rate, 0.1 * rate) << seed;
  }
}

TEST(BenchFit, AlphaIsNeverBelowZero) {
  const auto fit = fit_alpha_beta({{1e6, 0.9e-3}, {2e6, 2.1e-3}, {4e6, 4.4e-3}});
  ASSERT_TRUE(fit);
  EXPECT_GE(fit->alpha_s, 0);
  EXPECT_NEAR(fit->bytes_per_second, 1e9, 0.15e9);
}

TEST(BenchFit, NothingFitsOneSizeOrAFallingTime) {
  EXPECT_FALSE(fit_alpha_beta({}));
  EXPECT_FALSE(fit_alpha_beta({{1024, 1e-6}}));
  EXPECT_FALSE(fit_alpha_beta({{1024, 1e-6}, {1024, 2e-6}}));
  EXPECT_FALSE(fit_alpha_beta({{1024, 2e-6}, {4096, 1e-6}}));
}

}  // namespace
}  // namespace trireme::comm::bench
