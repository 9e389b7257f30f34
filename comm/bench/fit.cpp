#include "comm/bench/fit.h"

#include <algorithm>
#include <cmath>

#include "comm/bench/statistics.h"

namespace trireme::comm::bench {
namespace {

struct Line {
  double alpha = 0;
  double slope = 0;
  double relative_residual(const Sample& sample) const {
    return (alpha + slope * sample.bytes - sample.seconds) / sample.seconds;
  }
};

/// Minimises Σ w ((alpha + slope·x − t) / t)² with alpha ≥ 0.
std::optional<Line> weighted_line(const std::vector<Sample>& samples, const std::vector<double>& weights) {
  double sum = 0, sum_x = 0, sum_xx = 0, sum_t = 0, sum_xt = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double w = weights[i] / (samples[i].seconds * samples[i].seconds);
    const double x = samples[i].bytes, t = samples[i].seconds;
    sum += w, sum_x += w * x, sum_xx += w * x * x, sum_t += w * t, sum_xt += w * x * t;
  }
  const double determinant = sum * sum_xx - sum_x * sum_x;
  if (!(determinant > 1e-12 * sum * sum_xx)) return std::nullopt;
  Line line{(sum_xx * sum_t - sum_x * sum_xt) / determinant, (sum * sum_xt - sum_x * sum_t) / determinant};
  if (line.alpha < 0) line = {0, sum_xt / sum_xx};
  if (line.slope <= 0) return std::nullopt;
  return line;
}

std::vector<double> sizes_of_residuals(const std::vector<Sample>& samples, const Line& line) {
  std::vector<double> sizes;
  for (const Sample& sample : samples) sizes.push_back(std::abs(line.relative_residual(sample)));
  return sizes;
}

/// A start that a minority of bad samples cannot move: the line through two samples that leaves the smallest
/// median error.
std::optional<Line> line_of_least_median(const std::vector<Sample>& samples) {
  std::optional<Line> best;
  double best_error = 0;
  for (std::size_t i = 0; i < samples.size(); ++i)
    for (std::size_t j = i + 1; j < samples.size(); ++j) {
      if (samples[i].bytes == samples[j].bytes) continue;
      Line line;
      line.slope = (samples[j].seconds - samples[i].seconds) / (samples[j].bytes - samples[i].bytes);
      line.alpha = std::max(0.0, samples[i].seconds - line.slope * samples[i].bytes);
      if (line.slope <= 0) continue;
      const double error = median_of(sizes_of_residuals(samples, line));
      if (!best || error < best_error) best = line, best_error = error;
    }
  return best;
}

double biweight(double residual, double cutoff) {
  const double u = residual / cutoff;
  return std::abs(u) >= 1 ? 0 : (1 - u * u) * (1 - u * u);
}

}  // namespace

std::optional<AlphaBeta> fit_alpha_beta(const std::vector<Sample>& samples) {
  std::optional<Line> line = line_of_least_median(samples);
  if (!line) return std::nullopt;
  constexpr double tukeys_constant = 4.685, deviations_per_median = 1.4826, timer_noise = 1e-3;
  std::vector<double> weights(samples.size());
  for (int round = 0; round < 50; ++round) {
    const std::vector<double> residuals = sizes_of_residuals(samples, *line);
    const double cutoff =
        tukeys_constant * std::max(timer_noise, deviations_per_median * median_of(residuals));
    for (std::size_t i = 0; i < samples.size(); ++i) weights[i] = biweight(residuals[i], cutoff);
    const std::optional<Line> next = weighted_line(samples, weights);
    if (!next) break;
    line = next;
  }
  return AlphaBeta{line->alpha, 1 / line->slope, median_of(sizes_of_residuals(samples, *line))};
}

}  // namespace trireme::comm::bench
