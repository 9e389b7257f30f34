#include "model/fresh_weights.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include "model/config.h"
#include "model/layout.h"
#include "tests/model/tiny_config.h"

namespace trireme::model {
namespace {

std::vector<float> drawn(const ModelSpec& spec, const sharding::Parameter& parameter, std::uint64_t seed,
                         std::int64_t first, std::size_t count) {
  std::vector<float> values(count);
  fresh_weights(spec, parameter, seed, first, values);
  return values;
}

TEST(FreshWeights, AreNormalWithTheConfigurationsDeviation) {
  const ModelSpec spec = parse_config(testing::llama_config(R"(, "initializer_range": 0.05)"), "here");
  auto values = drawn(spec, {"model.layers.0.mlp.up_proj.weight", {400, 500}}, 1, 0, 200000);
  std::sort(values.begin(), values.end());
  // Kolmogorov's distance from the normal distribution; 1.95 / sqrt(n) is passed once in a thousand seeds.
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double expected = 0.5 * std::erfc(-values[i] / 0.05 / std::sqrt(2.0));
    worst = std::max(worst, std::abs(expected - static_cast<double>(i) / static_cast<double>(values.size())));
  }
  EXPECT_LT(worst, 1.95 / std::sqrt(200000.0));
}

TEST(FreshWeights, DependOnSeedNameAndElementAlone) {
  const ModelSpec spec = parse_config(testing::llama_config(), "here");
  const sharding::Parameter weight{"a.weight", {64, 64}};
  const auto whole = drawn(spec, weight, 7, 0, 4096);
  for (const std::int64_t first : {0, 1, 5, 1000, 4095})
    EXPECT_EQ(drawn(spec, weight, 7, first, 1)[0], whole[static_cast<std::size_t>(first)]);
  EXPECT_NE(drawn(spec, weight, 8, 0, 4096), whole);
  EXPECT_NE(drawn(spec, {"b.weight", {64, 64}}, 7, 0, 4096), whole);
}

TEST(FreshWeights, NormsAreOneBiasesZeroAndGpt2sProjectionsSmaller) {
  ModelSpec spec = parse_config(testing::llama_config(), "here");
  EXPECT_EQ(drawn(spec, {"model.norm.weight", {3}}, 1, 0, 3), std::vector<float>(3, 1.0f));
  EXPECT_EQ(drawn(spec, {"q_proj.bias", {3}}, 1, 0, 3), std::vector<float>(3, 0.0f));
  const auto plain = drawn(spec, {"h.0.mlp.c_proj.weight", {8, 8}}, 1, 0, 64);
  spec.transposed = true;
  const auto scaled = drawn(spec, {"h.0.mlp.c_proj.weight", {8, 8}}, 1, 0, 64);
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_NEAR(scaled[i], plain[i] / std::sqrt(2.0 * static_cast<double>(spec.layers)), 1e-9);
}

}  // namespace
}  // namespace trireme::model
