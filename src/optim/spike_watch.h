#pragma once
#include <cstdint>
#include <optional>

#include "optim/failure_guard.h"

namespace trireme::optim {

struct SpikeSettings {
  /// A loss of more than so many times the mean is a spike; 0: none is.
  double factor = 0;
  /// So many sound steps come before the first that can be one, and the mean is of about `memory` of them.
  std::int64_t warm_up = 20, memory = 50;
  GuardSettings guard{.policy = OnFailure::skip};
};

/// Knows a loss that leaps above those before it. A pure state machine, so that ranks that see the same steps
/// hold the same state.
class SpikeWatch {
 public:
  explicit SpikeWatch(const SpikeSettings& settings) : settings_(settings), guard_(settings.guard) {}
  /// What the next loss must not exceed.
  std::optional<double> most() const;
  double rate_factor() const { return guard_.rate_factor(); }
  void after_sound_step(double loss);
  /// False: the run must end.
  bool after_spike() { return guard_.after_step(true); }

  struct State {
    double mean = 0;
    std::int64_t steps = 0;
    FailureGuard::State guard{};
  };
  State state() const { return {mean_, steps_, guard_.state()}; }
  void restore(const State& state);

 private:
  SpikeSettings settings_;
  FailureGuard guard_;
  double mean_ = 0;
  std::int64_t steps_ = 0;
};

}  // namespace trireme::optim
