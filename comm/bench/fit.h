#pragma once
#include <optional>
#include <vector>

namespace trireme::comm::bench {

struct Sample {
  double bytes = 0;
  double seconds = 0;
};

/// time = alpha + bytes / bytes_per_second: what the planner's cost model keeps of a group and a backend.
struct AlphaBeta {
  double alpha_s = 0;
  double bytes_per_second = 0;
  /// Median over the samples of |measured − fitted| / measured.
  double relative_error = 0;

  double seconds(double bytes) const { return alpha_s + bytes / bytes_per_second; }
};

/// Least squares of the relative errors, so that a kibibyte counts like a gibibyte, reweighted (Tukey's
/// biweight) until samples far off the line no longer count. Nothing comes back for fewer than two sizes, or
/// when time does not grow with size.
std::optional<AlphaBeta> fit_alpha_beta(const std::vector<Sample>& samples);

}  // namespace trireme::comm::bench
