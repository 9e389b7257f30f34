#pragma once
#include <cstdint>

namespace trireme::optim {

/// DeepSpeed's fields of the same names.
struct LossScaleSettings {
  int initial_scale_power = 16;
  std::int64_t loss_scale_window = 1000;
  int hysteresis = 2;
  double min_loss_scale = 1;
  double scale_factor = 2;
};

/// The scale that keeps fp16 gradients inside their range: halved when they overflow, doubled after a window
/// of steps without. A pure state machine, so that ranks that see the same overflows hold the same scale.
class LossScaler {
 public:
  explicit LossScaler(const LossScaleSettings& settings);
  double scale() const { return scale_; }
  /// False: the overflow came at the least scale, where no smaller one can help.
  bool after_step(bool overflow);

  struct State {
    double scale = 1;
    std::int64_t steps = 0, last_overflow = -1;
    int hysteresis_left = 0;
  };
  State state() const { return {scale_, steps_, last_overflow_, hysteresis_left_}; }
  void restore(const State& state);

 private:
  LossScaleSettings settings_;
  double scale_;
  std::int64_t steps_ = 0;
  std::int64_t last_overflow_ = -1;
  int hysteresis_left_;
};

}  // namespace trireme::optim
