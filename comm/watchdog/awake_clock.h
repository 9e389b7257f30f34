#pragma once
#include <algorithm>
#include <chrono>

namespace trireme::comm {

/// Time that this process was able to watch. A gap between two readings counts for a second at most, so that
/// a run that was suspended (by the batch system, a debugger, a sleeping machine) does not find everybody
/// overdue when it wakes.
class AwakeClock {
 public:
  using Clock = std::chrono::steady_clock;

  std::chrono::milliseconds advance(Clock::time_point now = Clock::now()) {
    const auto gap = now - last_;
    last_ = now;
    awake_ += std::min<Clock::duration>(gap, longest_gap);
    return std::chrono::duration_cast<std::chrono::milliseconds>(awake_);
  }

 private:
  static constexpr std::chrono::seconds longest_gap{1};
  Clock::time_point last_ = Clock::now();
  Clock::duration awake_{0};
};

}  // namespace trireme::comm
