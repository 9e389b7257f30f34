#pragma once
#include <memory>
#include <string>

#include "cli/loaded_model.h"
#include "cli/step_report.h"
#include "sharding/predict/recorder.h"

namespace trireme::cli {

struct TraceWords {
  std::string file, machine;
  /// Which step of the run, counted from its first one.
  int step = 3;
};

/// Records one step of a run, and tells how it differs from what was foretold. Every rank makes the same
/// calls.
class TracedStep {
 public:
  TracedStep(const TraceWords& words, const jobs::JobSpec& job, LoadedModel& model, comm::World& world,
             const train::BatchShape& shape);
  /// Before the first step and after each one.
  void between_steps();

 private:
  void report();

  const TraceWords& words_;
  LoadedModel& model_;
  comm::World& world_;
  StepReport report_;
  std::unique_ptr<sharding::StepRecorder> recorder_;
  int steps_ = 0;
  std::size_t tensors_before_ = 0;
};

}  // namespace trireme::cli
