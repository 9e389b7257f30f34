#include "optim/spike_watch.h"

#include <algorithm>

namespace trireme::optim {

std::optional<double> SpikeWatch::most() const {
  if (settings_.factor <= 0 || steps_ < settings_.warm_up) return std::nullopt;
  return settings_.factor * mean_;
}

void SpikeWatch::after_sound_step(double loss) {
  ++steps_;
  mean_ += (loss - mean_) / static_cast<double>(std::min(steps_, settings_.memory));
  guard_.after_step(false);
}

void SpikeWatch::restore(const State& state) {
  mean_ = state.mean, steps_ = state.steps;
  guard_.restore(state.guard);
}

}  // namespace trireme::optim
