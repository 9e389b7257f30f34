#pragma once
#include "cuda/kernels/runs.h"
#include "offload/optimizer/halves.h"

namespace trireme::cuda::on_device {

struct Add {
  static constexpr int threads = 256, width = 4;
  float* into;
  const float* from;
  std::int64_t count;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float sums[width], more[width];
      load(into + i, n, sums), load(from + i, n, more);
      for (int k = 0; k < width; ++k) sums[k] += more[k];
      store(sums, into + i, n);
    });
  }
};

template <typename From, typename Into>
struct Convert {
  static constexpr int threads = 256,
                       width =
                           16 / static_cast<int>(sizeof(From) > sizeof(Into) ? sizeof(From) : sizeof(Into));
  const From* from;
  Into* into;
  std::int64_t count;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float values[width];
      load(from + i, n, values), store(values, into + i, n);
    });
  }
};

/// A group for each part of the sum, so that an element's part depends on its place alone.
struct AddSquares {
  static constexpr int threads = 512, width = 4;
  const float* values;
  std::int64_t count;
  double* sums;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    double mine = 0;
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float here[width];
      load(values + i, n, here);
      for (int k = 0; k < width; ++k) mine += static_cast<double>(here[k]) * static_cast<double>(here[k]);
    });
    const double all = group.sum(mine);
    if (group.thread() == 0) sums[group.block()] += all;
  }
};

struct MakeSplittable {
  static constexpr int threads = 256, width = 4;
  float* values;
  std::int64_t count;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_runs<width>(group, count, [&](std::int64_t i, int n) {
      float here[width];
      load(values + i, n, here);
      for (int k = 0; k < width; ++k) here[k] = offload::splittable(here[k]);
      store(here, values + i, n);
    });
  }
};

}  // namespace trireme::cuda::on_device
