#pragma once
#include <memory>
#include <string>

#include "cli/loaded_model.h"
#include "cli/model_pace.h"
#include "sharding/predict/recorder.h"

namespace trireme::cli {

/// One step of every start as the first rank ran it, over the same step as it was foretold: `trace.json` and
/// `trace.svg` of the run folder, for the report, foretold with the figures of `machine_file` where it is not
/// empty. Nothing is sent for it; every rank makes the same calls.
class RecordedStep {
 public:
  RecordedStep(const jobs::JobSpec& job, LoadedModel& model, comm::World& world,
               const train::BatchShape& shape, const ModelPace& pace, const std::string& machine_file,
               std::int64_t steps_left);
  /// Before the first step and after each one.
  void between_steps();

 private:
  void write() const;

  const jobs::JobSpec& job_;
  LoadedModel& model_;
  comm::World& world_;
  train::BatchShape shape_;
  double matrix_flops_;  ///< of one rank
  std::string machine_file_;
  std::int64_t which_, steps_ = 0;
  std::unique_ptr<sharding::StepRecorder> recorder_;
};

}  // namespace trireme::cli
