#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

TRIREME_DEVICE float sigmoid(float x) {
  return 1.0f / (1.0f + expf(-x));
}

template <typename T>
struct SwiGluOf {
  static constexpr int threads = 256, width = widest<T>;
  const T* gate;
  const T* up;
  T* out;
  std::int64_t count;

  SwiGluOf(const kernels::SwiGlu& args, std::int64_t elements)
      : gate(static_cast<const T*>(args.gate)),
        up(static_cast<const T*>(args.up)),
        out(static_cast<T*>(args.out)),
        count(elements) {}

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float x[width], u[width];
      load(gate + i, n, x), load(up + i, n, u);
      for (int k = 0; k < width; ++k) x[k] = x[k] * sigmoid(x[k]) * u[k];
      store_numbers(x, out + i, n);
    });
  }
};

template <typename T>
struct SwiGluBackwardOf {
  static constexpr int threads = 256, width = widest<T>;
  const T* gradient;
  const T* gate;
  const T* up;
  T* dgate;
  T* dup;
  std::int64_t count;

  SwiGluBackwardOf(const kernels::SwiGluBackward& args, std::int64_t elements)
      : gradient(static_cast<const T*>(args.gradient)),
        gate(static_cast<const T*>(args.gate)),
        up(static_cast<const T*>(args.up)),
        dgate(static_cast<T*>(args.dgate)),
        dup(static_cast<T*>(args.dup)),
        count(elements) {}

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float g[width], x[width], u[width];
      load(gradient + i, n, g), load(gate + i, n, x), load(up + i, n, u);
      for (int k = 0; k < width; ++k) {
        const float s = sigmoid(x[k]), slope = s * (x[k] * (1.0f - s) + 1.0f), to_gate = g[k] * u[k] * slope;
        u[k] = g[k] * (x[k] * s);
        g[k] = to_gate;
      }
      store_numbers(u, dup + i, n), store_numbers(g, dgate + i, n);
    });
  }
};

}  // namespace trireme::cuda::on_device
