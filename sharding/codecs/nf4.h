#pragma once
#include <cstdint>
#include <span>

namespace trireme::sharding {

/// Weights of 4 bits as QLoRA stores them: blocks of 64 coded by the quantiles of a normal distribution, two
/// codes a byte, the upper first; the blocks' largest magnitudes, less their mean, are bytes themselves, in
/// blocks of 256. One flat run of bytes: codes, magnitudes' codes, magnitudes of those, their mean.
class Nf4Shape {
 public:
  static constexpr std::int64_t block = 64, nested_block = 256;
  explicit Nf4Shape(std::int64_t elements) : elements_(elements) {}

  std::int64_t elements() const { return elements_; }
  std::int64_t blocks() const { return (elements_ + block - 1) / block; }
  std::int64_t nested_blocks() const { return (blocks() + nested_block - 1) / nested_block; }
  std::int64_t codes_at() const { return 0; }
  std::int64_t largest_at() const { return (elements_ + 1) / 2; }
  /// Floats begin at multiples of four.
  std::int64_t nested_at() const { return (largest_at() + blocks() + 3) / 4 * 4; }
  std::int64_t offset_at() const { return nested_at() + nested_blocks() * 4; }
  std::int64_t bytes() const { return offset_at() + 4; }

 private:
  std::int64_t elements_;
};

/// `into` has Nf4Shape(values.size()).bytes() bytes.
void quantise_nf4(std::span<const float> values, std::uint8_t* into);

/// The magnitudes of blocks [first, first + count).
void nf4_magnitudes(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t first, std::int64_t count,
                    float* into);
/// Elements [begin, begin + count); begin at a block's start.
void dequantise_nf4(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t begin, std::int64_t count,
                    float* into);
void dequantise_nf4_bf16(const Nf4Shape& shape, const std::uint8_t* from, std::int64_t begin,
                         std::int64_t count, std::uint16_t* into);
const float* nf4_values();

}  // namespace trireme::sharding
