#pragma once
#include "cuda/kernels/runs.h"

namespace trireme::cuda::on_device {

/// The sum of the exponentials of a row's numbers is `sum` times that of the largest.
struct Exponentials {
  float most;
  double sum;
};

/// In one pass: what was summed before a larger number came is scaled down.
template <typename T, typename Group>
TRIREME_DEVICE Exponentials exponentials_of(const Group& group, const T* row, std::int64_t count) {
  constexpr int width = widest<T>;
  constexpr float lowest = -3.402823466e38f;
  float most = lowest, sum = 0;
  for_runs_of_row<width>(group, count, [&](std::int64_t i, int n) {
    float values[width];
    load(row + i, n, values);
    // Nothing of the exponentials' sum.
    if (n < width)
      for (int k = 0; k < width; ++k) values[k] = k < n ? values[k] : -HUGE_VALF;
    float larger = most;
    for (int k = 0; k < width; ++k) larger = fmaxf(larger, values[k]);
    if (larger > most) sum *= expf(most - larger), most = larger;
    for (int k = 0; k < width; ++k) sum += expf(values[k] - most);
  });
  const float all = group.max(most);
  return {all, group.sum(static_cast<double>(sum * expf(most - all)))};
}

}  // namespace trireme::cuda::on_device
