#include "comm/bench/statistics.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::comm::bench {

double median_of(std::vector<double> values) {
  require(!values.empty(), "the median of nothing was asked for");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

Summary summarize(const std::vector<double>& values) {
  const double median = median_of(values);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return {median, *min, *max};
}

}  // namespace trireme::comm::bench
