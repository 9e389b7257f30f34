#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace trireme::slurm {

/// Everything that a batch file says; a value that is not set leaves its line out, so that the site's default
/// holds.
struct BatchJob {
  std::string name = "trireme";
  int nodes = 1;
  int ranks_per_node = 1;
  std::optional<int> gpus_per_node;
  std::optional<int> cpus_per_rank;
  std::string memory_per_node;
  std::string time_limit;
  std::string partition, account, qos, reservation, constraint, dependency, exclude;
  /// How long before the time limit the ranks get USR1, which makes them save and end with "requeue me".
  std::chrono::seconds warning{120};
  /// Runs in a row that may end without a newer checkpoint before the job gives up.
  int fruitless_runs = 3;
  /// Times it may be requeued in all; 0: no limit but that.
  int max_requeues = 0;
  bool requeue = true;
  /// none, cores, ldoms (NUMA nodes) or sockets; empty: the site's.
  std::string binding;
  /// The words of a command that prints `export NAME=value` lines for this node's network; empty: none.
  std::vector<std::string> settings_command;
  /// The words of a command that looks at every node before the ranks start, one process on each: it prints
  /// the names of nodes that fail and ends with 75; empty: nobody looks.
  std::vector<std::string> health_command;
  int health_seconds = 300;
  std::string run_folder;
  /// The trireme program and its words, started once a rank.
  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< NAME=value
  std::string container;                 ///< an Apptainer image
  /// Folders and files of the host that the container shows, beside the run folder and scratch.
  std::vector<std::string> shown_in_container;
  std::string scratch;  ///< node-local folder; made before the ranks start, exported as TRIREME_SCRATCH
};

/// The text of the batch file. Throws a configuration error that names the value which a batch file cannot
/// carry.
std::string render(const BatchJob& job);

/// One word as a POSIX shell reads it back unchanged.
std::string shell_quote(const std::string& word);

}  // namespace trireme::slurm
