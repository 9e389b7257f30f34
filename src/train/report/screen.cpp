#include "train/report/screen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <ctime>

#include <fmt/format.h>

#include "core/bytes.h"
#include "train/report/gauges.h"
#include "train/report/text_plot.h"

namespace trireme::train {
namespace {

std::string clock_time(double seconds) {
  constexpr double last = 0x1p40;
  const auto whole = static_cast<std::time_t>(std::clamp(seconds, 0.0, last));
  std::tm parts{};
  localtime_r(&whole, &parts);
  std::array<char, 16> text{};
  std::strftime(text.data(), text.size(), "%H:%M:%S", &parts);
  return text.data();
}

std::string said_of(const RunRecord& run, const std::string& key) {
  for (const auto& [name, value] : run.environment)
    if (name == key) return value;
  return "?";
}

void add_plot(std::string& out, const char* title, const Series& series, int width, int height) {
  if (series.size() == 0) return;
  const auto [low, high] = std::minmax_element(series.y.begin(), series.y.end());
  const auto lines = text_plot(series, width, height);
  out += fmt::format("\n{:<14} {}\n", title, short_number(series.y.back()));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string label = i == 0 ? short_number(*high) : i + 1 == lines.size() ? short_number(*low) : "";
    out += fmt::format("{:>9} │{}\n", label, lines[i]);
  }
}

}  // namespace

Series series_of(const std::vector<StepMetrics>& steps, double (*value)(const StepMetrics&)) {
  Series series;
  for (const StepMetrics& step : steps) {
    const double y = value(step);
    constexpr double largest = 1e300;  // differences stay finite
    if (!(std::abs(y) < largest)) continue;
    series.x.push_back(static_cast<double>(step.step)), series.y.push_back(y);
  }
  return series;
}

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::llround(std::clamp(seconds, 0.0, 0x1p53)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
  return fmt::format("{} d {} h", whole / 86400, whole % 86400 / 3600);
}

double seconds_left(const RunRecord& run) {
  constexpr std::size_t newest = 20;
  if (run.steps.size() < 2 || run.status.total_steps == 0) return -1;
  const StepMetrics& last = run.steps.back();
  const StepMetrics& before = run.steps[run.steps.size() - std::min(newest, run.steps.size())];
  if (last.time <= before.time || last.step <= before.step || before.time == 0) return -1;
  const double pace = (last.time - before.time) / static_cast<double>(last.step - before.step);
  return pace * static_cast<double>(run.status.total_steps - last.step);
}

std::string step_line(const StepMetrics& metrics, std::int64_t total_steps) {
  std::string line =
      fmt::format("step {}/{}  loss {:.6f}  norm {:.4f}  rate {:.3g}  {:.0f} tokens/s", metrics.step,
                  total_steps, metrics.loss, metrics.grad_norm, metrics.learning_rate, metrics.tokens_per_s);
  if (metrics.mfu > 0) line += fmt::format("  MFU {:.1f} %", 100 * metrics.mfu);
  if (metrics.host_bytes > 0)
    line += fmt::format("  {}", human_bytes(static_cast<double>(metrics.host_bytes)));
  if (metrics.loss_scale != 1) line += fmt::format("  loss scale {:.0f}", metrics.loss_scale);
  if (metrics.skipped) line += "  skipped";
  return line;
}

std::string summary(const RunRecord& run) {
  std::string line = fmt::format("{}: {}", run.folder.string(), run.status.state);
  if (!run.steps.empty()) line += ", " + step_line(run.steps.back(), run.status.total_steps);
  if (run.status.state == "running")
    if (const double left = seconds_left(run); left >= 0) line += fmt::format(", {} left", duration(left));
  if (!run.status.message.empty()) line += ": " + run.status.message;
  return line;
}

std::string screen(const RunRecord& run, int width, int height) {
  const std::int64_t done = run.steps.empty() ? run.status.step : run.steps.back().step;
  const double share = run.status.total_steps > 0
                           ? static_cast<double>(done) / static_cast<double>(run.status.total_steps)
                           : 0;
  std::string out = fmt::format("{}  {}\n", run.folder.string(), run.status.state);
  out += fmt::format("{} step {} of {}", text_bar(share, std::max(10, std::min(40, width - 40))), done,
                     run.status.total_steps);
  if (const double left = seconds_left(run); left >= 0 && run.status.state == "running")
    out += fmt::format(", {} left", duration(left));
  out += '\n';
  if (!run.status.message.empty()) out += run.status.message + '\n';
  if (!run.steps.empty()) {
    const StepMetrics& last = run.steps.back();
    out += fmt::format(
        "rate {:.3g}   norm {:.4g}   {} of host memory on the first rank   {} ranks on {} nodes\n",
        last.learning_rate, last.grad_norm, human_bytes(static_cast<double>(last.host_bytes)),
        said_of(run, "ranks"), said_of(run, "nodes"));
  }
  out += gauges(run, width);
  const int plot_width = std::max(10, std::min(width - 13, 120));
  const int plot_height = std::max(2, (height - 18) * 2 / 3);
  add_plot(out, "loss", series_of(run.steps, [](const StepMetrics& step) { return step.loss; }), plot_width,
           plot_height);
  add_plot(out, "tokens/s", series_of(run.steps, [](const StepMetrics& step) { return step.tokens_per_s; }),
           plot_width, std::max(2, plot_height / 2));
  constexpr std::size_t newest_events = 4;
  const std::size_t begin = run.events.size() > newest_events ? run.events.size() - newest_events : 0;
  if (begin < run.events.size()) out += '\n';
  for (std::size_t i = begin; i < run.events.size(); ++i)
    out += fmt::format("{}  {} at step {}  {}\n", clock_time(run.events[i].time), run.events[i].kind,
                       run.events[i].step, run.events[i].text);
  return out;
}

}  // namespace trireme::train
