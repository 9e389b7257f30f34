#pragma once
#include "cuda/kernels/values.h"
#include "offload/optimizer/adamw.h"

namespace trireme::cuda::on_device {

/// The order of operations of offload/optimizer/scalar.h, whose bits the results are.
TRIREME_DEVICE void move_states(const offload::AdamWFactors& f, float gradient, float& mean, float& square) {
  gradient = gradient * f.gradient_scale;
  mean = f.beta1 * mean + f.rest1 * gradient;
  square = f.beta2 * square + f.rest2 * gradient * gradient;
}
TRIREME_DEVICE float moved_value(const offload::AdamWFactors& f, float value, float mean, float square) {
  const float denominator = sqrtf(square) * f.root_scale + f.epsilon;
  return value * f.keep - f.step_size * (mean / denominator);
}

template <typename Gradient, typename Values>
struct AdamW {
  static constexpr int threads = 256, width = 4;
  offload::AdamWFactors factors;
  Values values;
  const Gradient* gradients;
  float* means;
  float* squares;
  std::int64_t count;

  AdamW(const offload::AdamWFactors& step, const offload::AdamWRun& run)
      : factors(step),
        values(run),
        gradients(static_cast<const Gradient*>(run.gradient)),
        means(run.mean),
        squares(run.square),
        count(run.count) {}

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float value[width], gradient[width], mean[width], square[width];
      values.get(i, n, value), load(gradients + i, n, gradient);
      load(means + i, n, mean), load(squares + i, n, square);
      for (int k = 0; k < width; ++k) {
        move_states(factors, gradient[k], mean[k], square[k]);
        value[k] = moved_value(factors, value[k], mean[k], square[k]);
      }
      store(mean, means + i, n), store(square, squares + i, n), values.put(i, n, value);
    });
  }
};

}  // namespace trireme::cuda::on_device
