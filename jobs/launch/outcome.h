#pragma once
#include <optional>
#include <string>

#include "comm/watchdog/status_file.h"

namespace trireme::jobs {

/// How mpirun or srun ended.
struct LauncherEnd {
  /// Its exit status, or zero with `signal` set.
  int status = 0;
  int signal = 0;
};

struct Outcome {
  int exit_code = 0;
  /// What status.json must say, when the watchdogs wrote nothing or less than is known now.
  std::optional<comm::Verdict> verdict;
};

/// The exit code that counts. mpirun knows how the first process ended, the watchdogs know why: a rank that
/// died of its own fault is not worth another try, one that was killed is.
Outcome outcome_of(const LauncherEnd& end, const std::optional<comm::FailureStatus>& failure,
                   std::optional<int> passed_on_signal);

}  // namespace trireme::jobs
