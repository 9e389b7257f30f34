#pragma once
#include "cuda/kernels/values.h"
#include "offload/optimizer/sgd.h"

namespace trireme::cuda::on_device {

template <typename Values>
struct Sgd {
  static constexpr int threads = 256, width = 4;
  offload::SgdRun run;
  Values values;

  explicit Sgd(const offload::SgdRun& given) : run(given), values(given) {}

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, run.count, [&](std::int64_t i, int n) {
      float value[width], gradient[width];
      values.get(i, n, value), load(run.gradient + i, n, gradient);
      for (int k = 0; k < width; ++k) gradient[k] = gradient[k] * run.scale + run.decay * value[k];
      if (run.buffer) {
        float buffer[width];
        load(run.buffer + i, n, buffer);
        for (int k = 0; k < width; ++k) {
          buffer[k] = run.momentum * buffer[k] + run.taken * gradient[k];
          gradient[k] = run.nesterov ? gradient[k] + run.momentum * buffer[k] : buffer[k];
        }
        store(buffer, run.buffer + i, n);
      }
      for (int k = 0; k < width; ++k) value[k] = value[k] - run.rate * gradient[k];
      values.put(i, n, value);
    });
  }
};

}  // namespace trireme::cuda::on_device
