#include "comm/bench/statistics.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace trireme::comm::bench {

double median_of(std::vector<double> values) {
  require(!values.empty(), "the median of nothing was asked for");
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

double upper_quartile_of(std::vector<double> values) {
  require(!values.empty(), "the quartile of nothing was asked for");
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(values.size() * 3 / 4);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

double lower_quartile_of(std::vector<double> values) {
  for (double& value : values) value = -value;
  return -upper_quartile_of(std::move(values));
}

Summary summarize(const std::vector<double>& values) {
  const double median = median_of(values);
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return {median, *min, *max};
}

}  // namespace trireme::comm::bench
