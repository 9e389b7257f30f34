#include "core/dtype.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace trireme {
namespace {

TEST(BFloat16, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3f80);
  EXPECT_EQ(BFloat16(1.00390625f).bits, 0x3f80);  // half way, even below
  EXPECT_EQ(BFloat16(1.01171875f).bits, 0x3f82);  // half way, even above
  EXPECT_EQ(BFloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
}

TEST(BFloat16, EveryValueSurvivesARoundTrip) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    BFloat16 value;
    value.bits = static_cast<std::uint16_t>(bits);
    const float wide = static_cast<float>(value);
    if (!std::isnan(wide)) {
      EXPECT_EQ(BFloat16(wide).bits, bits);
    }
  }
}

TEST(Float16, AgreesWithTheCompilersHalf) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    Float16 value;
    value.bits = static_cast<std::uint16_t>(bits);
    const float wide = static_cast<float>(value);
    const float reference = static_cast<float>(std::bit_cast<_Float16>(value.bits));
    if (std::isnan(reference)) {
      EXPECT_TRUE(std::isnan(wide));
    } else {
      EXPECT_EQ(wide, reference);
      EXPECT_EQ(Float16(wide).bits, bits);
    }
  }
  std::uint32_t state = 1;
  for (int i = 0; i < 200000; ++i) {
    state = state * 1664525u + 1013904223u;
    const float value = std::bit_cast<float>(state);
    if (std::isnan(value)) continue;
    EXPECT_EQ(Float16(value).bits, std::bit_cast<std::uint16_t>(static_cast<_Float16>(value))) << value;
  }
}

TEST(DType, NamesGoThereAndBack) {
  for (int i = 0; i <= static_cast<int>(DType::boolean); ++i) {
    const auto dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name_of(dtype)), dtype);
  }
  EXPECT_EQ(dtype_from_name("BF16"), DType::bf16);
  EXPECT_EQ(dtype_from_name("float33"), std::nullopt);
}

}  // namespace
}  // namespace trireme
