#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "train/metrics.h"
#include "train/run_events.h"

namespace trireme::train {

/// Follows a run's metrics.jsonl as it grows, or is cut back when the run goes on from a checkpoint.
class MetricsReader {
 public:
  explicit MetricsReader(std::filesystem::path file) : file_(std::move(file)) {}
  /// Reads what is new; false when nothing is.
  bool poll();
  const std::vector<StepMetrics>& steps() const { return steps_; }

 private:
  std::filesystem::path file_;
  std::uint64_t inode_ = 0, read_ = 0;
  std::string rest_;
  std::vector<StepMetrics> steps_;
};

/// Nothing is thrown for a line that is none of ours: its step is 0.
StepMetrics metrics_from(const std::string& line);

/// status.json, of a run that goes on or of the watchdog that ended it; "unknown" where there is none.
RunStatus read_status(const std::filesystem::path& run_folder);

/// A node as the check before the last start found it.
struct NodeRecord {
  std::string name;
  bool healthy = true;
  double link_gb_s = 0;  ///< with the best of its partners; 0: alone, or not measured
};

/// All that a run folder tells.
struct RunRecord {
  std::filesystem::path folder;
  RunStatus status;
  std::vector<StepMetrics> steps;
  std::vector<RunEvent> events;
  std::string job;       ///< job.yaml as it lies there
  std::string memory{};  ///< memory.json: what the first rank was foretold to hold, and what it allocated
  std::string gantt{};   ///< trace.svg: a step as it was foretold and as it ran
  std::string lanes{};   ///< lanes.json: how long each lane was busy in that step
  std::vector<NodeRecord> nodes{};
  std::vector<std::pair<std::string, std::string>> environment;
};

/// What the run folder holds beside status, steps and events; it changes at each start.
void read_surroundings(RunRecord& run);
/// Throws a configuration error where the folder is not that of a run.
RunRecord read_run(const std::filesystem::path& folder);

}  // namespace trireme::train
