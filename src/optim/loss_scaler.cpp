#include "optim/loss_scaler.h"

#include <algorithm>
#include <cmath>

namespace trireme::optim {

LossScaler::LossScaler(const LossScaleSettings& settings)
    : settings_(settings),
      scale_(std::ldexp(1.0, settings.initial_scale_power)),
      hysteresis_left_(settings.hysteresis) {}

bool LossScaler::after_step(bool overflow) {
  bool can_shrink = true;
  if (overflow) {
    if (hysteresis_left_ <= 1) {
      can_shrink = scale_ > settings_.min_loss_scale;
      scale_ = std::max(scale_ / settings_.scale_factor, settings_.min_loss_scale);
    } else {
      --hysteresis_left_;
    }
    last_overflow_ = steps_;
  } else {
    // DeepSpeed does not count the first sound step.
    const std::int64_t sound = steps_ - last_overflow_ - 1;
    if (sound > 0 && sound % settings_.loss_scale_window == 0) {
      hysteresis_left_ = settings_.hysteresis;
      scale_ *= settings_.scale_factor;
    }
  }
  ++steps_;
  return can_shrink;
}

void LossScaler::restore(const State& state) {
  scale_ = state.scale, steps_ = state.steps, last_overflow_ = state.last_overflow,
  hysteresis_left_ = state.hysteresis_left;
}

}  // namespace trireme::optim
