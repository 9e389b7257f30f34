#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "comm/simd/copy.h"
#include "comm/simd/reduce.h"

namespace trireme::comm {
namespace {

constexpr std::array dtypes{DType::f32, DType::bf16, DType::f16, DType::f64, DType::i8,
                            DType::u8,  DType::i16,  DType::i32, DType::i64, DType::boolean};

bool is_half_nan(DType dtype, std::uint16_t bits) {
  return dtype == DType::f16 ? (bits & 0x7fff) > 0x7c00 : dtype == DType::bf16 && (bits & 0x7fff) > 0x7f80;
}

/// Any bits for integers and the half types; floats of every size, infinities and not-a-numbers among them.
void fill_with_anything(std::vector<std::byte>& data, DType dtype, unsigned seed) {
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < data.size(); i += 8) {
    const std::uint64_t bits = random();
    std::memcpy(&data[i], &bits, std::min<std::size_t>(8, data.size() - i));
  }
  if (dtype == DType::boolean)
    for (std::byte& byte : data) byte &= std::byte{1};
}

/// Hardware keeps different payloads of not-a-numbers, so these only have to stay what they are.
void expect_same(const std::vector<std::byte>& is, const std::vector<std::byte>& wanted, DType dtype,
                 const std::string& what) {
  const std::size_t width = size_of(dtype);
  const auto both_not_a_number = [&](std::size_t i) {
    if (dtype == DType::f32) {
      float a, b;
      std::memcpy(&a, &is[i], 4), std::memcpy(&b, &wanted[i], 4);
      return std::isnan(a) && std::isnan(b);
    }
    if (dtype == DType::f64) {
      double a, b;
      std::memcpy(&a, &is[i], 8), std::memcpy(&b, &wanted[i], 8);
      return std::isnan(a) && std::isnan(b);
    }
    if (width != 2) return false;
    std::uint16_t a, b;
    std::memcpy(&a, &is[i], 2), std::memcpy(&b, &wanted[i], 2);
    return is_half_nan(dtype, a) && is_half_nan(dtype, b);
  };
  constexpr std::size_t stretch = 4096;
  for (std::size_t begin = 0; begin < wanted.size(); begin += stretch) {
    const std::size_t end = std::min(begin + stretch, wanted.size());
    if (std::memcmp(&is[begin], &wanted[begin], end - begin) == 0) continue;
    for (std::size_t i = begin; i + width <= end; i += width) {
      if (std::memcmp(&is[i], &wanted[i], width) == 0 || both_not_a_number(i)) continue;
      std::uint64_t a = 0, b = 0;
      std::memcpy(&a, &is[i], width), std::memcpy(&b, &wanted[i], width);
      FAIL() << what << ", element " << i / width << std::hex << ": " << a << ", not " << b;
    }
  }
}

class EveryTarget : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(EveryTarget, ReducesToTheBitsOfTheReference) {
  for (const DType dtype : dtypes)
    for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::max})
      for (const std::size_t ranks : {1u, 2u, 3u, 7u})
        for (const std::size_t count : {0u, 1u, 63u, 64u, 1000u}) {
          std::vector<std::vector<std::byte>> inputs(ranks,
                                                     std::vector<std::byte>(count * size_of(dtype) + 8));
          std::vector<const void*> in;
          for (std::size_t rank = 0; rank < ranks; ++rank) {
            fill_with_anything(inputs[rank], dtype, static_cast<unsigned>(rank + count));
            in.push_back(inputs[rank].data());
          }
          std::vector<std::byte> wanted(count * size_of(dtype) + 8, std::byte{7}), first = wanted,
                                                                                   second = wanted;
          std::array<void*, 1> alone{wanted.data()};
          std::array<void*, 2> both{first.data(), second.data()};
          simd::reference::reduce(in, alone, count, dtype, reduction);
          simd::reduce(in, both, count, dtype, reduction);
          const std::string what = std::string(name_of(dtype)) + " " + std::string(name_of(reduction)) +
                                   " of " + std::to_string(ranks);
          expect_same(first, wanted, dtype, what);
          expect_same(second, wanted, dtype, what);
          simd::reduce(in, inputs.back().data(), count, dtype, reduction);
          inputs.back().resize(count * size_of(dtype)), wanted.resize(count * size_of(dtype));
          expect_same(inputs.back(), wanted, dtype, what + " in place");
        }
}

TEST_P(EveryTarget, StreamsLongVectorsToTheSameBits) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    const std::size_t count = (std::size_t{12} << 20) / size_of(dtype) + 3;
    std::vector<std::vector<std::byte>> inputs(2, std::vector<std::byte>(count * size_of(dtype)));
    for (std::size_t rank = 0; rank < 2; ++rank)
      fill_with_anything(inputs[rank], dtype, static_cast<unsigned>(rank));
    const std::array<const void*, 2> in{inputs[0].data(), inputs[1].data()};
    std::vector<std::byte> wanted(count * size_of(dtype)), storage(wanted.size() + 64), result(wanted.size());
    std::array<void*, 1> alone{wanted.data()};
    std::byte* aligned = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
    simd::reference::reduce(in, alone, count, dtype, Reduction::sum);
    simd::reduce(in, aligned, count, dtype, Reduction::sum);
    std::memcpy(result.data(), aligned, result.size());
    expect_same(result, wanted, dtype, std::string(name_of(dtype)));
  }
}

TEST_P(EveryTarget, CopiesAnyLengthFromAnywhereToAnywhere) {
  std::vector<std::byte> from(std::size_t{20} << 20), to(from.size() + 100);
  fill_with_anything(from, DType::u8, 1);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{1000}, from.size() - 7})
    for (const std::size_t shift : {0u, 1u, 63u}) {
      std::fill(to.begin(), to.end(), std::byte{3});
      (shift % 2 ? simd::copy : simd::copy_past_caches)(to.data() + shift, from.data() + 5, bytes);
      ASSERT_EQ(std::memcmp(to.data() + shift, from.data() + 5, bytes), 0);
      EXPECT_EQ(to[shift + bytes], std::byte{3});
    }
}

std::string name_of_simd(const testing::TestParamInfo<std::int64_t>& info) {
  std::string name = hwy::TargetName(info.param);
  std::erase_if(name, [](char letter) { return !std::isalnum(static_cast<unsigned char>(letter)); });
  return name;
}

std::vector<std::int64_t> targets() {
  std::vector<std::int64_t> all;
  for (std::int64_t left = hwy::SupportedTargets() & HWY_TARGETS; left != 0; left &= left - 1)
    all.push_back(left & -left);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Simd, EveryTarget, testing::ValuesIn(targets()), name_of_simd);

}  // namespace
}  // namespace trireme::comm
