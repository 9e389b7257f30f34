#include "cli/watch.h"

#include <chrono>
#include <cstdlib>

#include "comm/watchdog/environment.h"
#include "comm/watchdog/watched_world.h"

namespace trireme::cli {

Watch::Watch(const jobs::JobSpec& job, const comm::World& world) {
  if (world.size() == 1 || job.hang_time_limit == 0) return;
  comm::WatchdogOptions options = comm::WatchdogOptions::from_environment();
  if (!std::getenv(comm::time_limit_variable)) options.time_limit = std::chrono::seconds(job.hang_time_limit);
  if (options.run_folder.empty()) options.run_folder = job.output_dir;
  watchdog_.emplace(world, options);
}

int Watch::over(Ranks& ranks, const std::function<int(const Worlds&)>& work) {
  const Worlds plain = ranks.worlds();
  if (!watchdog_) return work(plain);
  comm::WatchedWorld computing(plain.computing, *watchdog_), hosts(plain.hosts, *watchdog_);
  return watchdog_->guard([&] { return work({computing, hosts, plain.gpu_numa}); });
}

}  // namespace trireme::cli
