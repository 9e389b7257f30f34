#include "optim/rates.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.h"

namespace trireme::optim {
namespace {

/// From `from` to `to` along half a cosine, as `share` goes from 0 to 1.
double along_cosine(double from, double to, double share) {
  return to + (from - to) * 0.5 * (1.0 + std::cos(std::numbers::pi * share));
}

/// As torch.optim.lr_scheduler.OneCycleLR with two phases along cosines.
double one_cycle(const RateSchedule& schedule, std::int64_t done) {
  const double first = schedule.peak / schedule.first_divisor, last = first / schedule.last_divisor;
  const double rise_end = schedule.rise_share * static_cast<double>(schedule.total_steps) - 1.0;
  const double end = static_cast<double>(schedule.total_steps) - 1.0,
               at = std::min(static_cast<double>(done), end);
  if (at <= rise_end) return along_cosine(first, schedule.peak, rise_end > 0 ? at / rise_end : 1.0);
  return along_cosine(schedule.peak, last, end > rise_end ? (at - rise_end) / (end - rise_end) : 1.0);
}

}  // namespace

double rate_at(const RateSchedule& schedule, std::int64_t step) {
  const std::int64_t done = step - 1;
  if (schedule.shape == RateShape::one_cycle) return one_cycle(schedule, done);
  if (done < schedule.warmup_steps)
    return schedule.peak * static_cast<double>(done) / static_cast<double>(schedule.warmup_steps);
  if (schedule.shape == RateShape::constant) return schedule.peak;
  const auto left =
      static_cast<double>(std::max<std::int64_t>(schedule.total_steps - schedule.warmup_steps, 1));
  const double share = std::clamp(static_cast<double>(done - schedule.warmup_steps) / left, 0.0, 1.0);
  if (schedule.shape == RateShape::linear)
    return schedule.least + (schedule.peak - schedule.least) * (1.0 - share);
  return along_cosine(schedule.peak, schedule.least, share);
}

std::int64_t warmup_steps_of(double ratio, std::int64_t total_steps) {
  return static_cast<std::int64_t>(std::ceil(ratio * static_cast<double>(total_steps)));
}

RateShape rate_shape_from_name(std::string_view name) {
  if (name == "constant" || name == "constant_with_warmup") return RateShape::constant;
  if (name == "linear") return RateShape::linear;
  if (name == "cosine") return RateShape::cosine;
  if (name == "one_cycle") return RateShape::one_cycle;
  fail(ExitCode::configuration,
       "there is no learning rate schedule '{}'; known are constant, constant_with_warmup, linear, cosine, "
       "one_cycle",
       name);
}

}  // namespace trireme::optim
