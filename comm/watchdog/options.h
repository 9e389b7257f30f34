#pragma once
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace trireme::comm {

struct WatchdogOptions {
  /// Where status.json and log/rank-N.log go; without it verdicts go to stderr alone.
  std::filesystem::path run_folder;
  /// A second place for the status, where `trireme launch` looks when it does not know the run folder.
  std::filesystem::path status_copy;
  /// What `trireme launch` calls this start of the run.
  std::string launch;
  /// For a collective, and for a rank that gives no sign of life.
  std::chrono::milliseconds time_limit = std::chrono::minutes(10);
  /// How often a watchdog looks; deaths wake it at once.
  std::chrono::milliseconds poll{100};
  /// From a verdict to the end of the process: the time for all nodes to hear of it.
  std::chrono::milliseconds grace{500};
  /// End when the process that started this rank is gone (mpirun's or Slurm's daemon), since nobody would end
  /// it then.
  bool follow_parent = true;
  /// World rank → node, where ranks of one host shall count as several nodes; empty: as the world says.
  std::vector<int> node_of_rank;

  /// Run folder, launch and time limit as `trireme launch` hands them to its ranks.
  static WatchdogOptions from_environment();
};

}  // namespace trireme::comm
