#pragma once
#include <vector>

namespace trireme::comm::bench {

struct Summary {
  double median = 0;
  double min = 0;
  double max = 0;
};

/// The mean of the two middle values where their number is even. Not of an empty list.
double median_of(std::vector<double> values);
/// The least value that at most a quarter of the values exceed, and its mirror image.
double upper_quartile_of(std::vector<double> values);
double lower_quartile_of(std::vector<double> values);
Summary summarize(const std::vector<double>& values);

}  // namespace trireme::comm::bench
