#pragma once
#include <chrono>
#include <memory>
#include <vector>

#include "core/device.h"
#include "sharding/executor.h"
#include "sharding/predict/simulate.h"

namespace trireme::sharding {

/// Takes the time of each op of one step at a time: by the clock of its thread, or of its device, which
/// nothing waits for. While it lives, the executor's marks are its own.
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
  /// Since `begin`: how often the host has waited for the device.
  HostWaits waits() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Points {
    std::unique_ptr<DeviceEvent> begin, end;
    bool passed = false;
  };
  void begin_on_device();
  double now() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  Executor& executor_;
  Device* device_;
  Clock::time_point start_{};
  std::vector<Interval> ops_;
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<DeviceEvent> origin_;
  std::vector<Points> points_;
  HostWaits waits_before_{};
};

}  // namespace trireme::sharding
