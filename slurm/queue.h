#pragma once
#include <string>
#include <vector>

namespace trireme::slurm {

/// A job as squeue or scontrol tells of it.
struct JobState {
  std::string id, name, state, reason, nodes, elapsed, restarts;
  /// Its run folder, by where its output goes; empty for a job that is not ours.
  std::string run_folder;
};

/// Hands the batch file to sbatch and returns the job's id. Throws a configuration error with sbatch's own
/// words.
std::string submit(const std::string& script);
/// The job's state, also after it ended as long as the controller remembers it; throws a usage error when it
/// does not.
JobState find_job(const std::string& id);
void cancel(const std::string& id);
void requeue(const std::string& id);
/// "CANCELLED by 0" and "COMPLETED" and the like: nothing more will happen by itself.
bool is_final(const std::string& state);

/// The value of `key` in scontrol's "Key=value Key=value" text; empty when it is not there.
std::string scontrol_value(const std::string& text, const std::string& key);

}  // namespace trireme::slurm
