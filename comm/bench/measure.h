#pragma once
#include <span>
#include <vector>

#include "comm/bench/everyone.h"
#include "comm/bench/statistics.h"
#include "comm/bench/subject.h"

namespace trireme::comm::bench {

struct MeasureOptions {
  int warmups = 2;
  /// Calls timed together; 0: as many as fill `block_seconds`.
  int iterations = 0;
  int repeats = 7;
  double block_seconds = 0.02;
};

/// Seconds a call, for each subject, of the slowest rank. The subjects take turns within each of the repeats,
/// each time another one first, so that whatever else disturbs the machine disturbs all of them alike.
std::vector<Summary> measure_in_turns(std::span<Subject* const> subjects, const Everyone& everyone,
                                      const MeasureOptions& options);

}  // namespace trireme::comm::bench
