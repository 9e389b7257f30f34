#pragma once
#include <cmath>
#include <cstdint>
#include <optional>

namespace trireme::train {

/// Watches a number that should fall: whether it is the best so far, and whether it has stopped falling.
class EarlyStop {
 public:
  /// `patience`: evaluations in a row without an improvement of more than `threshold` that end the run; 0:
  /// never.
  EarlyStop(std::int64_t patience, double threshold) : patience_(patience), threshold_(threshold) {}

  struct State {
    std::optional<double> best;
    std::int64_t without_improvement = 0;
  };
  /// True where `score` is the best so far.
  bool note(double score) {
    if (std::isnan(score)) return ++state_.without_improvement, false;
    const bool improved = !state_.best || score < *state_.best - threshold_;
    const bool best = !state_.best || score < *state_.best;
    state_.without_improvement = improved ? 0 : state_.without_improvement + 1;
    if (best) state_.best = score;
    return best;
  }
  bool wants_stop() const { return patience_ > 0 && state_.without_improvement >= patience_; }
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  std::int64_t patience_;
  double threshold_;
  State state_;
};

}  // namespace trireme::train
