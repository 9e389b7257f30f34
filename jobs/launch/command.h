#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace trireme::jobs {

/// What the user asks `trireme launch` for.
struct LaunchOptions {
  enum class With { automatic, mpirun, srun };

  With with = With::automatic;
  std::optional<int> ranks;
  std::string hostfile, hosts;
  std::filesystem::path run_folder;
  std::optional<long long> time_limit_ms;
  std::string mpirun = "mpirun";
  /// none, core, numa or socket.
  std::string binding = "none";
  bool oversubscribe = false;
  std::vector<std::string> program;
};

/// What the launcher finds where it runs.
struct LaunchFacts {
  int cores = 1;
  bool root = false;
  int open_mpi_major = 4;
  bool in_slurm_allocation = false;
  bool has_srun = false;
};

struct LaunchCommand {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
};

/// Decides between mpirun and srun; throws a usage error when what is asked for cannot be had.
LaunchOptions::With choose(const LaunchOptions& options, const LaunchFacts& facts);
/// The command line and the environment that start the ranks; `environment` reaches all of them.
LaunchCommand command_for(const LaunchOptions& options, const LaunchFacts& facts,
                          const std::vector<std::pair<std::string, std::string>>& environment);
/// 4 from "mpirun (Open MPI) 4.1.4"; throws when another MPI's mpirun answers.
int open_mpi_major(const std::string& version_output);
/// 30, "30s", "10m", "1.5h" → milliseconds.
long long parse_duration_ms(const std::string& text);

}  // namespace trireme::jobs
