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

/// An element's part of the sums depends on its place alone.
struct AddSquares {
  static constexpr int threads = 512, width = 4, runs_a_thread = 4;
  static constexpr std::int64_t runs = threads * runs_a_thread;
  const float* values;
  std::int64_t count;
  double* sums;
  std::int64_t parts;

  template <typename Group>
  TRIREME_DEVICE void operator()(const Group& group) const {
    for_blocks(group, parts, [&](std::int64_t part) {
      double squares = 0;
      for (std::int64_t first = part * runs * width; first < count; first += parts * runs * width)
        squares += squares_from(group, first);
      const double sum = group.sum(squares);
      if (group.thread() == 0) sums[part] += sum;
    });
  }

 private:
  /// All that a thread needs is on its way before the first of it is used.
  template <typename Group>
  TRIREME_DEVICE double squares_from(const Group& group, std::int64_t first) const {
    constexpr int turns = static_cast<int>(runs) / Group::fewest;
    float here[turns][width];
    for (int turn = 0; turn < turns; ++turn) {
      const std::int64_t run = group.thread() + std::int64_t{turn} * group.threads(),
                         left = run < runs ? count - first - run * width : 0;
      load(values + first + run * width, left < width ? static_cast<int>(left > 0 ? left : 0) : width,
           here[turn]);
    }
    double sum = 0;
    for (int turn = 0; turn < turns; ++turn)
      for (int k = 0; k < width; ++k)
        sum += static_cast<double>(here[turn][k]) * static_cast<double>(here[turn][k]);
    return sum;
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
