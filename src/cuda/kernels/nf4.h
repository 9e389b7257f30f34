#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

/// A thread makes eight elements of four bytes of codes.
template <typename T>
struct DequantiseNf4 {
  static constexpr int threads = 256, width = 8;
  static constexpr std::int64_t block = 64, nested_block = 256;
  /// What is looked up, where threads that look up different numbers do not wait for each other.
  struct Tables {
    float values[16], largest[256];
  };
  kernels::Nf4Weight weight;
  T* into;

  TRIREME_DEVICE void fill(Tables& tables, int thread, int threads_there) const {
    for (int i = thread; i < 16; i += threads_there)
      tables.values[i] = weight.values[static_cast<std::size_t>(i)];
    for (int i = thread; i < 256; i += threads_there) tables.largest[i] = weight.largest_values[i];
  }

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group, const Tables& tables) const {
    const float offset = *weight.offset;
    for_runs<width>(group, weight.elements, [&](std::int64_t i, int n) {
      const std::int64_t of_block = i / block;
      const Pack<std::uint8_t, 4> codes = load_pack<4>(weight.codes + i / 2, (n + 1) / 2);
      const float largest =
          tables.largest[weight.largest[of_block]] * weight.nested[of_block / nested_block] + offset;
      const auto word = __builtin_bit_cast(std::uint32_t, codes);
      float values[width];
      // The upper half of a byte comes first.
      for (int k = 0; k < width; ++k) values[k] = tables.values[word >> (4 * (k ^ 1)) & 15u] * largest;
      store_numbers(values, into + i, n);
    });
  }
};

}  // namespace trireme::cuda::on_device
