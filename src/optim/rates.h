#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace trireme::optim {

enum class RateShape : std::uint8_t { constant, linear, cosine, one_cycle };

/// The learning rate over a run, as a value: it rises in a line from 0 over the warm-up and then follows its
/// shape.
struct RateSchedule {
  RateShape shape = RateShape::constant;
  double peak = 0;
  /// What linear and cosine end at.
  double least = 0;
  std::int64_t warmup_steps = 0;
  std::int64_t total_steps = 1;
  /// one_cycle: where the peak lies, and the peak over the first rate and the first rate over the last.
  double rise_share = 0.3, first_divisor = 25, last_divisor = 1e4;
};

/// The rate of a step, counted from 1. As in Hugging Face's schedules the first step of a warm-up has rate 0
/// and the one after the warm-up the peak.
double rate_at(const RateSchedule& schedule, std::int64_t step);

/// A share of all steps as a number of steps, rounded up.
std::int64_t warmup_steps_of(double ratio, std::int64_t total_steps);

/// "constant", "constant_with_warmup", "linear", "cosine", "one_cycle"; throws a configuration error that
/// lists them.
RateShape rate_shape_from_name(std::string_view name);

}  // namespace trireme::optim
