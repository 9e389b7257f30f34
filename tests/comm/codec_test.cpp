#include "comm/codec/codec.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include "comm/codec/steps.h"
#include "core/error.h"

namespace trireme::comm::codec {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<float> random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = std::ldexp(normal(random), static_cast<int>(random() % 8) - 12);
  return values;
}

/// Values that find a codec's weak places: a zero block, an infinity, a NaN, ties, tiny and huge magnitudes.
std::vector<float> awkward_values(std::size_t count, unsigned seed) {
  std::vector<float> values = random_values(count, seed);
  const float odd_ones[] = {0.0f,          -0.0f,  std::numeric_limits<float>::infinity(),
                            std::nanf(""), 1e-42f, -3e38f,
                            3e38f,         0.5f,   1e-34f};
  std::mt19937 random(seed + 1);
  for (std::size_t i = 0; i < count; i += 1 + random() % 400)
    values[i] = odd_ones[random() % std::size(odd_ones)];
  for (std::size_t i = count / 3; i < count / 2; ++i) values[i] = 0.0f;
  return values;
}

Bytes as_type(const std::vector<float>& values, DType dtype) {
  Bytes bytes(values.size() * size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f32) std::memcpy(&bytes[i * 4], &values[i], 4);
    if (dtype == DType::bf16) new (&bytes[i * 2]) BFloat16(values[i]);
    if (dtype == DType::f16) new (&bytes[i * 2]) Float16(values[i]);
  }
  return bytes;
}

std::vector<float> as_floats(const Bytes& bytes, DType dtype) {
  std::vector<float> values(bytes.size() / size_of(dtype));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (dtype == DType::f32) std::memcpy(&values[i], &bytes[i * 4], 4);
    if (dtype == DType::bf16)
      values[i] = static_cast<float>(reinterpret_cast<const BFloat16*>(bytes.data())[i]);
    if (dtype == DType::f16)
      values[i] = static_cast<float>(reinterpret_cast<const Float16*>(bytes.data())[i]);
  }
  return values;
}

constexpr std::size_t counts[] = {0, 1, 2, 3, 7, 15, 16, 17, 31, 63, 255, 256, 257, 511, 1000, 4097, 10007};
constexpr BlockFormat formats[] = {int8_blocks, int4_blocks, {8, 2},    {4, 2},
                                   {8, 6},      {4, 34},     {8, 2048}, {4, 8192}};
constexpr DType dtypes[] = {DType::f32, DType::bf16, DType::f16};

/// Bytes after what is written stay as they were; what is written does not depend on what was there.
Bytes canvas(std::size_t bytes) {
  return Bytes(bytes + 8, 0xa5);
}

class EveryTarget : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { hwy::SetSupportedTargetsForTest(GetParam()); }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_P(EveryTarget, EncodesLikeTheReference) {
  for (const BlockFormat& format : formats)
    for (const DType dtype : dtypes)
      for (const std::size_t count : counts) {
        const Bytes in = as_type(awkward_values(count, static_cast<unsigned>(count)), dtype);
        Bytes fast = canvas(format.bytes(count)), slow = fast;
        encode(format, in.data(), dtype, count, fast.data());
        reference::encode(format, in.data(), dtype, count, slow.data());
        ASSERT_EQ(fast, slow) << format.bits << " bits, blocks of " << format.block << ", " << count << " "
                              << name_of(dtype);
      }
}

TEST_P(EveryTarget, SumsLikeTheReference) {
  for (const BlockFormat& format : formats)
    for (const std::size_t count : counts)
      for (const unsigned part_count : {1u, 2u, 3u, 17u}) {
        std::vector<Bytes> encoded;
        std::vector<const void*> parts;
        for (unsigned part = 0; part < part_count; ++part) {
          const auto values = part == 1 ? awkward_values(count, part) : random_values(count, part);
          encoded.push_back(canvas(format.bytes(count)));
          reference::encode(format, values.data(), DType::f32, count, encoded.back().data());
        }
        for (const Bytes& part : encoded) parts.push_back(part.data());
        for (const DType dtype : dtypes)
          for (const float divisor : {1.0f, 3.0f, 4.0f}) {
            Bytes fast = canvas(count * size_of(dtype)), slow = fast;
            decode_sum(format, parts, count, divisor, fast.data(), dtype);
            reference::decode_sum(format, parts, count, divisor, slow.data(), dtype);
            ASSERT_EQ(fast, slow) << format.bits << " bits, blocks of " << format.block << ", " << count
                                  << " " << name_of(dtype) << " from " << part_count;
          }
        for (const BlockFormat& out : formats) {
          Bytes fast = canvas(out.bytes(count)), slow = fast;
          recode_sum(format, parts, count, out, fast.data());
          reference::recode_sum(format, parts, count, out, slow.data());
          ASSERT_EQ(fast, slow) << "recoded to " << out.bits << " bits, blocks of " << out.block << ", "
                                << count;
        }
      }
}

INSTANTIATE_TEST_SUITE_P(Codec, EveryTarget, testing::ValuesIn(hwy::SupportedAndGeneratedTargets()),
                         [](const auto& chosen) { return std::string(hwy::TargetName(chosen.param)); });

TEST(Codec, WritesWhatTheFormatSays) {
  const float values[] = {1.0f, -7.0f, 0.5f, 1.5f, 2.5f};
  std::uint8_t out[16] = {};
  ASSERT_EQ((BlockFormat{4, 4}.bytes(5)), 12u);
  encode({4, 4}, values, DType::f32, 5, out);
  float scales[2];
  std::memcpy(scales, out, sizeof scales);
  EXPECT_EQ(scales[0], 1.0f);
  EXPECT_EQ(scales[1], 2.5f / 7.0f);
  EXPECT_EQ(out[8], 0x91);  // 1 in the low half, -7 in the high half
  EXPECT_EQ(out[9], 0x20);  // 0.5 goes to the even 0, 1.5 to the even 2
  EXPECT_EQ(out[10], 0x07);
  EXPECT_EQ(out[11], 0);
}

TEST(Codec, ErrsByAtMostHalfAStepOfTheBlock) {
  for (const BlockFormat& format : formats)
    for (const DType dtype : {DType::f32, DType::bf16})
      for (const std::size_t count : counts) {
        const Bytes in = as_type(random_values(count, 9), dtype);
        const std::vector<float> values = as_floats(in, dtype);
        Bytes encoded(format.bytes(count));
        encode(format, in.data(), dtype, count, encoded.data());
        std::vector<float> back(count);
        decode(format, encoded.data(), count, back.data(), DType::f32);
        const Encoded parts = Encoded::at(encoded.data(), format, count);
        for (std::size_t i = 0; i < count; ++i) {
          const double step = parts.scales[i / format.block];
          // 2^-22 for the rounding of the scale, of its inverse and of the two products, relative to 127
          // steps.
          ASSERT_LE(std::abs(static_cast<double>(values[i]) - back[i]),
                    step / 2 + step * format.levels() * 0x1p-22);
        }
      }
}

TEST(Codec, ABlockThatIsNotFiniteDecodesToNaN) {
  for (const BlockFormat& format : {int8_blocks, int4_blocks})
    for (const float bad :
         {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), std::nanf("")}) {
      std::vector<float> values(3 * format.block, 1.0f), back(values.size());
      values[format.block + 5] = bad;
      Bytes encoded(format.bytes(values.size()));
      encode(format, values.data(), DType::f32, values.size(), encoded.data());
      decode(format, encoded.data(), values.size(), back.data(), DType::f32);
      for (std::size_t i = 0; i < values.size(); ++i)
        ASSERT_EQ(std::isnan(back[i]), i / format.block == 1) << i;
    }
}

TEST(Codec, TinyBlocksBecomeZeros) {
  std::vector<float> values(100, 0x1p-111f), back(100, 1.0f);
  Bytes encoded(int8_blocks.bytes(100));
  encode(int8_blocks, values.data(), DType::f32, 100, encoded.data());
  decode(int8_blocks, encoded.data(), 100, back.data(), DType::f32);
  EXPECT_EQ(back, std::vector<float>(100, 0.0f));
}

TEST(Codec, EncodingWhatWasDecodedChangesNothing) {
  const std::size_t count = 5000;
  const auto values = random_values(count, 4);
  Bytes once(int8_blocks.bytes(count)), twice(once.size());
  std::vector<float> back(count), again(count);
  encode(int8_blocks, values.data(), DType::f32, count, once.data());
  decode(int8_blocks, once.data(), count, back.data(), DType::f32);
  encode(int8_blocks, back.data(), DType::f32, count, twice.data());
  const std::size_t scales = int8_blocks.scale_bytes(count);
  EXPECT_TRUE(std::equal(once.begin() + static_cast<std::ptrdiff_t>(scales), once.end(),
                         twice.begin() + static_cast<std::ptrdiff_t>(scales)));
}

TEST(Codec, RefusesWhatItDoesNotKnow) {
  float value = 1;
  std::uint8_t out[8];
  EXPECT_THROW(encode({5, 256}, &value, DType::f32, 1, out), Error);
  EXPECT_THROW(encode({4, 3}, &value, DType::f32, 1, out), Error);
  EXPECT_THROW(encode({8, 0}, &value, DType::f32, 1, out), Error);
  EXPECT_THROW(encode({8, 256}, &value, DType::i32, 1, out), Error);
}

/// The CUDA kernels' threads one after another: each block of elements by many threads, with a meeting where
/// the kernel has one.
Bytes encoded_by_threads(const BlockFormat& format, const std::vector<float>& in, unsigned threads) {
  const std::size_t count = in.size();
  Bytes out(format.bytes(count) + 8, 0xa5);
  auto* scales = reinterpret_cast<float*>(out.data());
  for (std::size_t block = 0; block < format.blocks(count); ++block) {
    const std::size_t at = block * format.block, length = std::min<std::size_t>(format.block, count - at);
    std::uint32_t largest = 0;
    for (unsigned thread = 0; thread < threads; ++thread)
      largest = std::max(largest, largest_of_thread(in.data() + at, length, thread, threads));
    const Scale scale = scale_of(largest, format.levels());
    scales[block] = scale.scale;
    for (unsigned thread = threads; thread-- > 0;)
      write_numbers(format, in.data() + at, length, scale.inverse,
                    out.data() + format.scale_bytes(count) + format.number_bytes(at), thread, threads);
  }
  write_padding(format, count, out.data());
  return out;
}

TEST(Codec, ManyThreadsOnABlockWriteWhatOneDoes) {
  for (const BlockFormat& format : formats)
    for (const std::size_t count : counts)
      for (const unsigned threads : {1u, 32u, 128u, 1024u}) {
        const auto values = awkward_values(count, 3);
        Bytes slow = canvas(format.bytes(count));
        reference::encode(format, values.data(), DType::f32, count, slow.data());
        ASSERT_EQ(encoded_by_threads(format, values, threads), slow) << count << " by " << threads;
      }
}

}  // namespace
}  // namespace trireme::comm::codec
