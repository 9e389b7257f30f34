#include "offload/optimizer/halves.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/offload/every_target.h"

namespace trireme::offload {
namespace {

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float one, float other) { return bits_of(one) == bits_of(other); });
}

/// Every upper half (signs, subnormals, all exponents, infinities, what is not a number) with lower halves
/// around each border and some others.
std::vector<float> all_kinds() {
  std::vector<float> values;
  std::mt19937 random(7);
  for (std::uint32_t upper = 0; upper < 0x10000u; ++upper) {
    for (const std::uint32_t lower : {0u, 1u, 0x7ffeu, 0x7fffu, 0x8000u, 0x8001u, 0xfffeu, 0xffffu})
      values.push_back(std::bit_cast<float>(upper << 16 | lower));
    for (int i = 0; i < 4; ++i)
      values.push_back(std::bit_cast<float>(upper << 16 | (static_cast<std::uint32_t>(random()) & 0xffffu)));
  }
  return values;
}

TEST(Halves, JoinToTheValueAndHoldTheNearestBrainFloat) {
  for (const float value : all_kinds()) {
    const float kept = splittable(value);
    const Halves halves = halves_of(kept);
    ASSERT_EQ(halves.nearest.bits, BFloat16(value).bits) << std::hex << bits_of(value);
    ASSERT_EQ(halves.nearest.bits, BFloat16(kept).bits) << std::hex << bits_of(value);
    ASSERT_EQ(bits_of(joined(halves)), bits_of(kept)) << std::hex << bits_of(value);
    ASSERT_EQ(bits_of(splittable(kept)), bits_of(kept)) << std::hex << bits_of(value);
  }
}

TEST(Halves, OnlyTiesThatRoundToZeroMoveAndByTheirLastPlace) {
  for (const float value : all_kinds()) {
    const std::uint32_t bits = bits_of(value), kept = bits_of(splittable(value));
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(splittable(value)));
      ASSERT_EQ(std::signbit(splittable(value)), std::signbit(value));
    } else if ((bits & 0xffffu) == 0x8000u && (bits & 0x10000u) == 0) {
      ASSERT_EQ(kept, bits - 1);
    } else {
      ASSERT_EQ(kept, bits);
    }
  }
}

TEST(Halves, EveryInstructionSetSplitsAndJoinsAlike) {
  const std::vector<float> values = all_kinds();
  std::vector<float> kept;
  for (const float value : values) kept.push_back(splittable(value));
  tests::on_every_target([&](const std::string& target) {
    for (const std::size_t count : {values.size(), values.size() - 3, std::size_t{5}, std::size_t{0}}) {
      const auto elements = static_cast<std::int64_t>(count);
      const std::vector<float> wanted(kept.begin(), kept.begin() + elements);
      std::vector<BFloat16> nearest(count + 1);
      std::vector<std::uint16_t> lower(count + 1);
      nearest[count].bits = lower[count] = 0x1234;
      split(values.data(), nearest.data(), lower.data(), elements);
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(nearest[i].bits, BFloat16(values[i]).bits) << target;
        ASSERT_EQ(lower[i], halves_of(kept[i]).lower) << target;
      }
      EXPECT_EQ(nearest[count].bits, 0x1234);
      EXPECT_EQ(lower[count], 0x1234);
      std::vector<float> back(count), past(count + 16), made(values.begin(), values.begin() + elements);
      join(nearest.data(), lower.data(), back.data(), elements);
      EXPECT_TRUE(same_bits(back, wanted)) << target;
      // At an address that can be streamed to, and at one that cannot.
      const auto address = reinterpret_cast<std::uintptr_t>(past.data());
      float* aligned = past.data() + (64 - address % 64) % 64 / sizeof(float);
      for (float* into : {aligned, past.data() + (aligned == past.data() ? 1 : 0)}) {
        join_past_caches(nearest.data(), lower.data(), into, elements);
        EXPECT_TRUE(same_bits({into, into + count}, wanted)) << target;
      }
      make_splittable(made.data(), elements);
      EXPECT_TRUE(same_bits(made, wanted)) << target;
    }
  });
}

}  // namespace
}  // namespace trireme::offload
