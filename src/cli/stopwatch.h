#pragma once
#include <functional>

#include "comm/communicator.h"

namespace trireme::cli {

/// Measures on all ranks at once, as they compute in a step, and takes the slowest.
class Stopwatch {
 public:
  /// `finish` returns when all that was put on a device is done there.
  Stopwatch(comm::Communicator& everyone, std::function<void()> finish)
      : everyone_(everyone), finish_(std::move(finish)) {}

  /// The median of a few blocks of runs that take long enough to be timed.
  double seconds(const std::function<void()>& work, double least_s = 0.05) const;

 private:
  static constexpr int blocks_timed = 5, most_runs = 1 << 14;
  comm::Communicator& everyone_;
  std::function<void()> finish_;
};

}  // namespace trireme::cli
