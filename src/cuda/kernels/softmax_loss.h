#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/exponentials.h"

namespace trireme::cuda::on_device {

/// A group a row.
template <typename T>
struct SoftmaxLossOf {
  static constexpr int threads = 512, width = widest<T>;
  kernels::SoftmaxLoss args;
  std::int64_t rows;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, rows, [&](std::int64_t row) {
      const std::int64_t label = args.labels[row];
      T* const logits = static_cast<T*>(args.logits) + row * args.vocabulary;
      label < 0 ? skip(group, logits, row) : lose(group, logits, row, label);
    });
  }

 private:
  template <typename Group>
  TRIREME_DEVICE void skip(const Group& group, T* logits, std::int64_t row) const {
    if (group.thread() == 0) args.losses[row] = 0;
    if (!args.gradients) return;
    for_runs_of_row<width>(group, args.vocabulary, [&](std::int64_t i, int n) {
      const float nothing[width] = {};
      store_numbers(nothing, logits + i, n);
    });
  }

  template <typename Group>
  TRIREME_DEVICE void lose(const Group& group, T* logits, std::int64_t row, std::int64_t label) const {
    const float at_label = widen(logits[label]);
    const Exponentials all = exponentials_of(group, logits, args.vocabulary);
    const double log_sum = log(all.sum);
    if (group.thread() == 0)
      args.losses[row] = log_sum + (static_cast<double>(all.most) - static_cast<double>(at_label));
    if (!args.gradients) return;
    const float normalizer = all.most + static_cast<float>(log_sum);
    for_runs_of_row<width>(group, args.vocabulary, [&](std::int64_t i, int n) {
      float values[width];
      load(logits + i, n, values);
      for (int k = 0; k < width; ++k) {
        const float share = expf(values[k] - normalizer);
        values[k] = (i + k == label ? share - 1.0f : share) * args.weight;
      }
      store_numbers(values, logits + i, n);
    });
  }
};

}  // namespace trireme::cuda::on_device
