#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "train/metrics.h"

namespace trireme::cli {

/// How a run gets on: a line that is drawn over itself on a terminal, and plain lines elsewhere.
class Progress {
 public:
  /// Plain lines come at each multiple of `each` and at the last step.
  Progress(std::int64_t total_steps, std::int64_t each);
  void after(const train::StepMetrics& metrics);
  /// Something that stays to be read.
  void say(const std::string& line);
  /// The run has ended: what comes next begins a line.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  /// At the pace of the newest steps; negative: not known.
  double seconds_left(std::int64_t step) const;

  std::int64_t total_, each_;
  /// Columns of the terminal; 0: there is none.
  int columns_;
  bool line_open_ = false;
  std::deque<std::pair<std::int64_t, Clock::time_point>> newest_;
};

}  // namespace trireme::cli
