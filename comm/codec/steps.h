#pragma once
#include "comm/codec/format.h"

namespace trireme::comm::codec {

/// One operand of a sum: an encoded vector.
struct Encoded {
  const float* scales;
  const std::uint8_t* numbers;

  TRIREME_HD static Encoded at(const void* data, const BlockFormat& format, std::size_t count) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    return {reinterpret_cast<const float*>(bytes), bytes + format.scale_bytes(count)};
  }
};

// What one of `threads` threads does for one block. With one thread it is the scalar reference; the CUDA
// kernels run the same steps with a meeting of the threads between them.

template <typename In>
TRIREME_HD std::uint32_t largest_of_thread(const In* block, std::size_t count, unsigned thread,
                                           unsigned threads) {
  std::uint32_t largest = 0;
  for (std::size_t i = thread; i < count; i += threads) {
    const std::uint32_t here = magnitude(widen(block[i]));
    largest = here > largest ? here : largest;
  }
  return largest;
}

/// `numbers` is where the block's numbers begin.
template <typename In>
TRIREME_HD void write_numbers(const BlockFormat& format, const In* block, std::size_t count, float inverse,
                              std::uint8_t* numbers, unsigned thread, unsigned threads) {
  if (format.bits == 8) {
    for (std::size_t i = thread; i < count; i += threads)
      numbers[i] = static_cast<std::uint8_t>(quantise(widen(block[i]), inverse));
    return;
  }
  for (std::size_t pair = thread; pair < (count + 1) / 2; pair += threads) {
    const int even = quantise(widen(block[2 * pair]), inverse);
    const int odd = 2 * pair + 1 < count ? quantise(widen(block[2 * pair + 1]), inverse) : 0;
    numbers[pair] = pack_pair(even, odd);
  }
}

/// The zeros after the last number.
TRIREME_HD inline void write_padding(const BlockFormat& format, std::size_t count, std::uint8_t* encoded) {
  for (std::size_t at = format.scale_bytes(count) + format.number_bytes(count); at < format.bytes(count);
       ++at)
    encoded[at] = 0;
}

/// The operands of a sum that lie anywhere, and those that lie `stride` bytes apart.
struct Listed {
  const Encoded* operands;
  TRIREME_HD const Encoded& operator()(int part) const { return operands[part]; }
};
struct Strided {
  const void* first;
  std::size_t stride;
  BlockFormat format;
  std::size_t count;
  TRIREME_HD Encoded operator()(int part) const {
    return Encoded::at(static_cast<const std::uint8_t*>(first) + static_cast<std::size_t>(part) * stride,
                       format, count);
  }
};

/// Element `i` of the sum of `parts` operands, in their order.
template <typename Operands>
TRIREME_HD float sum_at(const BlockFormat& format, const Operands& operands, int parts, std::size_t i) {
  float sum = 0.0f;
  for (int part = 0; part < parts; ++part) {
    const Encoded from = operands(part);
    const int number = format.bits == 8 ? static_cast<std::int8_t>(from.numbers[i])
                                        : unpack(from.numbers[i / 2], i % 2 != 0);
    const float value = dequantise(number, from.scales[i / format.block]);
    sum = part == 0 ? value : sum + value;
  }
  return sum;
}

}  // namespace trireme::comm::codec
