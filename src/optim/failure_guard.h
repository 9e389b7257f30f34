#pragma once
#include <cstdint>
#include <string_view>

namespace trireme::optim {

/// What becomes of a step whose loss or gradient is not finite, where no loss scale explains it.
enum class OnFailure : std::uint8_t {
  stop,     ///< the run ends
  skip,     ///< nothing is updated, and the run goes on
  back_off  ///< the same, and the learning rate is lower from then on, until steps have been sound for long
};

struct GuardSettings {
  OnFailure policy = OnFailure::stop;
  /// So many failed steps in a row end the run whatever the policy.
  std::int64_t most_in_a_row = 10;
  /// Each failure multiplies the rate by it, down to `least_factor`; a window of sound steps takes one
  /// failure's factor back.
  double factor = 0.5, least_factor = 1.0 / 64;
  std::int64_t window = 100;
};

/// A pure state machine, so that ranks that see the same steps hold the same state.
class FailureGuard {
 public:
  explicit FailureGuard(const GuardSettings& settings) : settings_(settings) {}
  /// What the schedule's rate is multiplied by.
  double rate_factor() const { return state_.rate_factor; }
  /// False: the run must end.
  bool after_step(bool failed);

  struct State {
    double rate_factor = 1;
    std::int64_t failed = 0, failed_in_a_row = 0, sound_in_a_row = 0;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  GuardSettings settings_;
  State state_;
};

/// "stop", "skip" or "back_off"; throws a configuration error that lists them.
OnFailure failure_policy_from_name(std::string_view name);

}  // namespace trireme::optim
