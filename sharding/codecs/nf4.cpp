#include "sharding/codecs/nf4.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include <ATen/ATen.h>

#include "core/dtype.h"
#include "offload/optimizer/dynamic_codes.h"

namespace trireme::sharding {
namespace {

/// Quantiles of the normal distribution with zero among them, scaled to ±1 (QLoRA, appendix E).
constexpr std::array<float, 16> values{-1.0f,
                                       -0.6961928009986877f,
                                       -0.5250730514526367f,
                                       -0.39491748809814453f,
                                       -0.28444138169288635f,
                                       -0.18477343022823334f,
                                       -0.09105003625154495f,
                                       0.0f,
                                       0.07958029955625534f,
                                       0.16093020141124725f,
                                       0.24611230194568634f,
                                       0.33791524171829224f,
                                       0.44070982933044434f,
                                       0.5626170039176941f,
                                       0.7229568362236023f,
                                       1.0f};

std::uint8_t code_of(float value) {
  std::uint8_t code = 0;
  for (std::size_t i = 0; i + 1 < values.size(); ++i) code += value > (values[i] + values[i + 1]) / 2.0f;
  return code;
}

float float_at(const std::uint8_t* bytes) {
  float value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

/// In the order in which LibTorch adds, whose last digit is what others have stored.
float mean_of(std::vector<float>& numbers) {
  return at::from_blob(numbers.data(), {static_cast<std::int64_t>(numbers.size())}, at::kFloat)
      .mean()
      .item<float>();
}

template <typename Store>
void dequantise(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t begin, std::int64_t count,
                const Store& store) {
  const std::uint8_t* codes = from + shape.codes_at();
  std::array<float, 16> scaled;
  for (std::int64_t done = 0; done < count; done += Nf4Shape::block) {
    float largest;
    nf4_magnitudes(shape, from, (begin + done) / Nf4Shape::block, 1, &largest);
    for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] = values[i] * largest;
    const std::int64_t end = std::min(done + Nf4Shape::block, count);
    std::int64_t i = done;
    for (; i + 1 < end; i += 2) {
      const std::uint8_t pair = codes[(begin + i) / 2];
      store(i, scaled[pair >> 4]);
      store(i + 1, scaled[pair & 15]);
    }
    if (i < end) store(i, scaled[codes[(begin + i) / 2] >> 4]);
  }
}

}  // namespace

void quantise_nf4(std::span<const float> given, std::uint8_t* into) {
  const Nf4Shape shape(static_cast<std::int64_t>(given.size()));
  std::memset(into, 0, static_cast<std::size_t>(shape.bytes()));
  std::vector<float> largest(static_cast<std::size_t>(shape.blocks()));
  for (std::int64_t b = 0; b < shape.blocks(); ++b) {
    const std::int64_t begin = b * Nf4Shape::block, end = std::min(begin + Nf4Shape::block, shape.elements());
    float most = 0;
    for (std::int64_t i = begin; i < end; ++i)
      most = std::max(most, std::abs(given[static_cast<std::size_t>(i)]));
    largest[static_cast<std::size_t>(b)] = most;
    const float inverse = 1.0f / std::max(most, 1e-38f);
    for (std::int64_t i = begin; i < end; ++i) {
      const float value = std::clamp(given[static_cast<std::size_t>(i)] * inverse, -1.0f, 1.0f);
      into[i / 2] |= static_cast<std::uint8_t>(code_of(value) << (i % 2 == 0 ? 4 : 0));
    }
  }
  const float offset = mean_of(largest);
  for (float& value : largest) value -= offset;
  std::vector<float> nested(static_cast<std::size_t>(shape.nested_blocks()));
  for (std::int64_t b = 0; b < shape.nested_blocks(); ++b) {
    const std::int64_t begin = b * Nf4Shape::nested_block,
                       end = std::min(begin + Nf4Shape::nested_block, shape.blocks());
    float most = 0;
    for (std::int64_t i = begin; i < end; ++i)
      most = std::max(most, std::abs(largest[static_cast<std::size_t>(i)]));
    nested[static_cast<std::size_t>(b)] = most;
    const float inverse = most > 0 ? 1.0f / most : 0.0f;
    for (std::int64_t i = begin; i < end; ++i)
      into[shape.largest_at() + i] = offload::nearest_code(
          true, std::clamp(largest[static_cast<std::size_t>(i)] * inverse, -1.0f, 1.0f));
  }
  std::memcpy(into + shape.nested_at(), nested.data(), nested.size() * sizeof(float));
  std::memcpy(into + shape.offset_at(), &offset, sizeof(offset));
}

void nf4_magnitudes(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t first, std::int64_t count,
                    float* into) {
  const float offset = float_at(from + shape.offset_at());
  for (std::int64_t b = first; b < first + count; ++b) {
    const float nested = float_at(from + shape.nested_at() + b / Nf4Shape::nested_block * 4);
    into[b - first] = offload::dynamic_codes(true)[from[shape.largest_at() + b]] * nested + offset;
  }
}

void dequantise_nf4(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t begin, std::int64_t count,
                    float* into) {
  dequantise(shape, from, begin, count, [&](std::int64_t i, float value) { into[i] = value; });
}

void dequantise_nf4_bf16(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t begin,
                         std::int64_t count, std::uint16_t* into) {
  dequantise(shape, from, begin, count, [&](std::int64_t i, float value) { into[i] = BFloat16(value).bits; });
}

const float* nf4_values() {
  return values.data();
}

}  // namespace trireme::sharding
