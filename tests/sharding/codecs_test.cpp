#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "sharding/codecs/nf4.h"
#include "tests/golden_file.h"

namespace trireme::sharding {
namespace {

using testing::GoldenFile;

template <typename T>
std::vector<T> list(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), tensor.data_ptr<T>() + tensor.numel()};
}

TEST(Nf4, HasTheCodesOfBitsandbytes) {
  const GoldenFile golden("quantised/expected.safetensors");
  const auto code = list<float>(golden.floats("nf4.code"));
  EXPECT_TRUE(std::equal(code.begin(), code.end(), nf4_values()));
  const auto weight = list<float>(golden.floats("nf4.weight"));
  const Nf4Shape shape(static_cast<std::int64_t>(weight.size()));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.bytes()));
  quantise_nf4(weight, bytes.data());
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return std::vector<std::uint8_t>(bytes.begin() + begin, bytes.begin() + end);
  };
  EXPECT_EQ(part(0, shape.largest_at()), list<std::uint8_t>(golden.bytes("nf4.packed")));
  EXPECT_EQ(part(shape.largest_at(), shape.largest_at() + shape.blocks()),
            list<std::uint8_t>(golden.bytes("nf4.absmax_coded")));
  std::vector<float> largest(static_cast<std::size_t>(shape.blocks()));
  nf4_magnitudes(shape, bytes.data(), 0, shape.blocks(), largest.data());
  std::vector<float> back(weight.size());
  dequantise_nf4(shape, bytes.data(), 0, shape.elements(), back.data());
  const auto expected = list<float>(golden.floats("nf4.dequantised"));
  EXPECT_EQ(back, expected);
}

TEST(Nf4, AnyLengthAndAnyBlockCanBeTakenAlone) {
  at::manual_seed(2);
  for (const std::int64_t count : {1, 2, 63, 64, 65, 200, 64 * 256 + 7}) {
    const auto weight = list<float>(at::randn({count}));
    const Nf4Shape shape(count);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(shape.bytes()));
    quantise_nf4(weight, bytes.data());
    std::vector<float> whole(weight.size());
    dequantise_nf4(shape, bytes.data(), 0, count, whole.data());
    for (std::size_t i = 0; i < weight.size(); ++i) ASSERT_NEAR(whole[i], weight[i], 1.0) << i;
    const std::int64_t last = (count - 1) / 64 * 64;
    std::vector<std::uint16_t> tail(static_cast<std::size_t>(count - last));
    dequantise_nf4_bf16(shape, bytes.data(), last, count - last, tail.data());
    for (std::size_t i = 0; i < tail.size(); ++i)
      EXPECT_EQ(tail[i], BFloat16(whole[static_cast<std::size_t>(last) + i]).bits);
  }
}

}  // namespace
}  // namespace trireme::sharding
