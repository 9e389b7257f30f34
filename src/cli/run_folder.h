#pragma once
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "train/checkpoints.h"
#include "train/event_file.h"
#include "train/metrics.h"

namespace trireme::cli {

/// Makes a run folder, which only its owner can read, and its log folder.
void make_run_folder(const std::filesystem::path& folder);
/// From now on this rank's log lines also go to the run folder, and the console shows the first rank's, and
/// warnings of the others.
void keep_log(const std::filesystem::path& run_folder, int rank);

/// Replacing `status.json` takes as long as a short step: it is done this often, and at once where more has
/// happened than a step. metrics.jsonl has each step.
constexpr std::chrono::milliseconds tell_status_every{250};

/// What the first rank writes into the run folder beside checkpoints: the job, where it runs, a line for each
/// step, what happened, and where it stands.
class RunFolder {
 public:
  RunFolder(const jobs::JobSpec& job, const comm::World& world, std::int64_t steps_done,
            std::int64_t total_steps);
  /// Fills in what only this place knows.
  void after(train::StepMetrics& metrics);
  /// Looks at what was written since it was asked last.
  void saved(const train::Checkpoints& checkpoints);
  void end(const std::string& state, const std::string& message);

 private:
  void tell_of_the_run_before() const;
  void tell_status();

  std::filesystem::path folder_;
  std::int64_t first_step_;
  std::optional<train::MetricsFile> metrics_;
  std::optional<train::EventFile> events_;
  train::RunStatus status_;
  std::chrono::steady_clock::time_point told_at_;
  bool tell_at_once_ = false;
  std::int64_t host_bytes_ = 0;
};

}  // namespace trireme::cli
