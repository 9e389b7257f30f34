#include "train/report/series.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace trireme::train {

Series thinned(const Series& series, std::size_t most) {
  constexpr std::size_t kept_of_each = 3;
  if (series.size() <= most || most < 2 * kept_of_each) return series;
  const std::size_t stretches = most / kept_of_each;
  Series out;
  const auto keep = [&](std::size_t index) {
    out.x.push_back(series.x[index]), out.y.push_back(series.y[index]);
  };
  for (std::size_t stretch = 0; stretch < stretches; ++stretch) {
    const std::size_t begin = series.size() * stretch / stretches,
                      end = series.size() * (stretch + 1) / stretches;
    const auto [low, high] = std::minmax_element(series.y.begin() + static_cast<std::ptrdiff_t>(begin),
                                                 series.y.begin() + static_cast<std::ptrdiff_t>(end));
    std::array<std::size_t, kept_of_each> chosen{begin, static_cast<std::size_t>(low - series.y.begin()),
                                                 static_cast<std::size_t>(high - series.y.begin())};
    if (stretch + 1 == stretches) chosen[0] = end - 1;
    std::sort(chosen.begin(), chosen.end());
    for (auto index = chosen.begin(); index != std::unique(chosen.begin(), chosen.end()); ++index) {
      if (!out.x.empty() && out.x.back() == series.x[*index]) continue;
      keep(*index);
    }
  }
  return out;
}

std::vector<double> ticks(double least, double most, int wanted) {
  if (!(most > least)) return {least};
  const double rough = (most - least) / std::max(1, wanted);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 2.5, 5.0})
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  std::vector<double> all;
  // Where neighbouring numbers are further apart than the step, no sum of steps moves on.
  const double first = std::ceil(least / step - 1e-9);
  for (int i = 0; i <= 10 * std::max(1, wanted) && (first + i) * step <= most + step * 1e-9; ++i)
    all.push_back((first + i) * step);
  return all;
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size == 0) return "0";
  if (!std::isfinite(size)) return fmt::format("{}", value);
  if (size >= 1e12 || size < 1e-3) {
    const int power = static_cast<int>(std::floor(std::log10(size)));
    return fmt::format("{:.3g}e{}", value / std::pow(10.0, power), power);
  }
  if (size >= 1e9) return fmt::format("{:.3g}G", value / 1e9);
  if (size >= 1e6) return fmt::format("{:.3g}M", value / 1e6);
  if (size >= 1e4) return fmt::format("{:.3g}k", value / 1e3);
  return fmt::format("{:.4g}", value);
}

}  // namespace trireme::train
