#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

/// A group a row.
template <typename T>
struct Rotate {
  static constexpr int threads = 128, width = widest<T>;
  kernels::Rotation args;
  std::int64_t rows;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, rows, [&](std::int64_t row) { turn(group, row); });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void turn(const Group& group, std::int64_t row) const {
    const auto half = static_cast<int>(args.head_size / 2), runs = (half + width - 1) / width,
               heads = static_cast<int>(args.heads);
    const float* cosines = args.cosine + args.positions[row] * half;
    const float* sines = args.sine + args.positions[row] * half;
    const T* x = static_cast<const T*>(args.x) + row * args.stride;
    T* const out = static_cast<T*>(args.out) + row * args.heads * args.head_size;
    for (int run = group.thread(); run < heads * runs; run += group.threads()) {
      const int i = run % runs * width, n = half - i < width ? half - i : width;
      const std::int64_t first = run / runs * args.head_size + i, second = first + half;
      float a[width], b[width], cosine[width], sine[width];
      load(x + first, n, a), load(x + second, n, b);
      load(cosines + i, n, cosine), load(sines + i, n, sine);
      for (int k = 0; k < width; ++k) {
        const float turned = sine[k] * args.direction, before = a[k];
        a[k] = before * cosine[k] - b[k] * turned;
        b[k] = b[k] * cosine[k] + before * turned;
      }
      store_numbers(a, out + first, n), store_numbers(b, out + second, n);
    }
  }
};

}  // namespace trireme::cuda::on_device
