#pragma once
#include <cstdint>
#include <string>

#include "cli/loaded_model.h"
#include "cli/progress.h"
#include "cli/run_folder.h"
#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "train/checkpoints.h"
#include "train/metrics.h"

namespace trireme::cli {

enum class RunEnd : std::uint8_t { done, early, asked };

/// What the first rank tells of a run: on the console, in the log and in the run folder. Other ranks have
/// none.
class RunTeller {
 public:
  /// `model` and `checkpoints` outlive this. `done` of `steps` were taken before.
  RunTeller(const jobs::JobSpec& job, const comm::World& world, LoadedModel& model,
            const train::Checkpoints& checkpoints, const train::BatchShape& shape, std::int64_t done,
            std::int64_t steps);

  /// `best_by`: the measure by which this step is the best so far; empty: it is not.
  void after(train::StepMetrics& metrics, const std::string& best_by);
  void saved() { folder_.saved(checkpoints_); }
  void failed(const std::string& why) { folder_.end("failed", why); }
  void ended(RunEnd end, std::int64_t step, std::int64_t evaluations_without_improvement);

 private:
  LoadedModel& model_;
  const train::Checkpoints& checkpoints_;
  std::int64_t steps_;
  RunFolder folder_;
  Progress progress_;
};

}  // namespace trireme::cli
