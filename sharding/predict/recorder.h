#pragma once
#include <chrono>
#include <vector>

#include "sharding/executor.h"
#include "sharding/predict/simulate.h"

namespace trireme::sharding {

/// Takes the time of each op of one step at a time. While it lives, the executor's observers are its own.
class StepRecorder {
 public:
  explicit StepRecorder(Executor& executor);
  ~StepRecorder();
  StepRecorder(const StepRecorder&) = delete;
  StepRecorder& operator=(const StepRecorder&) = delete;

  /// Forgets what was recorded; time counts from now.
  void begin(const Schedule& schedule);
  /// When the ops of the last step ran, counted from `begin` or, where `from_first`, from the first op.
  Timeline timeline(bool from_first = true) const;

 private:
  using Clock = std::chrono::steady_clock;
  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  Executor& executor_;
  Clock::time_point start_{};
  std::vector<Interval> ops_;
};

}  // namespace trireme::sharding
