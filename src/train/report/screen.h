#pragma once
#include <string>

#include "train/report/series.h"
#include "train/run_record.h"

namespace trireme::train {

/// One number of each step as a curve.
Series series_of(const std::vector<StepMetrics>& steps, double (*value)(const StepMetrics&));

/// A run on one screen of a terminal.
std::string screen(const RunRecord& run, int width, int height);
/// A run in one line.
std::string summary(const RunRecord& run);
/// "step 12/400  loss 2.31  …", as the console of `train` shows it.
std::string step_line(const StepMetrics& metrics, std::int64_t total_steps);
/// 3725 → "1 h 2 min".
std::string duration(double seconds);
/// Seconds until the last step, at the pace of the newest steps; negative: not known.
double seconds_left(const RunRecord& run);

}  // namespace trireme::train
