#pragma once
#include <functional>
#include <optional>
#include <string_view>

#include "cli/ranks.h"
#include "comm/watchdog/watchdog.h"
#include "jobs/job_spec.h"

namespace trireme::cli {

/// Ends the run when a rank dies, hangs or fails; a rank alone needs no watching.
class Watch {
 public:
  Watch(const jobs::JobSpec& job, const comm::World& world);
  explicit operator bool() const { return watchdog_.has_value(); }
  /// Does the work of a job on its ranks, watched where there is something to watch.
  int over(Ranks& ranks, const std::function<int(const Worlds&)>& work);
  /// Files are read and written here, so others may have to wait longer than for a collective: `patience`
  /// times as long.
  void slow_phase(std::string_view name, int patience = 6) {
    if (watchdog_) watchdog_->phase(name, watchdog_->options().time_limit * patience);
  }
  void phase(std::string_view name) {
    if (watchdog_) watchdog_->phase(name);
  }

 private:
  std::optional<comm::Watchdog> watchdog_;
};

}  // namespace trireme::cli
