#pragma once
#include "core/kernel_args.h"
#include "cuda/kernels/exponentials.h"

namespace trireme::cuda::on_device {

/// A group a row.
template <typename T>
struct AddChunkRows {
  static constexpr int threads = 512;
  kernels::ChunkRows rows;
  kernels::ChunkSums sums;
  std::int64_t count;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, count, [&](std::int64_t row) {
      const T* logits = static_cast<const T*>(rows.logits) + row * rows.columns;
      const Exponentials all = exponentials_of(group, logits, rows.columns);
      if (group.thread() != 0) return;
      const double here = static_cast<double>(all.most) + log(all.sum),
                   before = static_cast<double>(sums.sum_before[row]);
      sums.sum[row] = static_cast<float>(fmax(here, before) + log1p(exp(-fabs(here - before))));
      const std::int64_t label = rows.labels[row];
      sums.target[row] = label >= 0 && label < rows.columns ? widen(logits[label]) : sums.target_before[row];
    });
  }
};

template <typename T>
struct ChunkRowsBackward {
  static constexpr int threads = 512, width = widest<T>;
  kernels::ChunkRows rows;
  kernels::ChunkGradients gradients;
  std::int64_t count;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, count, [&](std::int64_t row) {
      T* const logits = static_cast<T*>(rows.logits) + row * rows.columns;
      const float sum = gradients.sum[row], of_sum = gradients.of_sum[row],
                  of_target = gradients.of_target[row];
      const std::int64_t label = rows.labels[row];
      for_runs_of_row<width>(group, rows.columns, [&](std::int64_t i, int n) {
        float values[width];
        load(logits + i, n, values);
        for (int k = 0; k < width; ++k) {
          const float share = expf(values[k] - sum) * of_sum;
          values[k] = i + k == label ? share + of_target : share;
        }
        store_numbers(values, logits + i, n);
      });
    });
  }
};

}  // namespace trireme::cuda::on_device
