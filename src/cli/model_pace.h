#pragma once
#include "cli/loaded_model.h"
#include "train/metrics.h"

namespace trireme::cli {

/// What MFU is counted from: multiplications and additions that the model's function needs in a step over all
/// ranks (without those that are made again, and for adapters without gradients of frozen weights), and how
/// many the ranks' matrix products make in a second: measured on all of them at once, or the data sheet's
/// dense peak of GPUs, and 0 where a GPU's is not at hand.
struct ModelPace {
  double flops_per_step = 0, flops_per_second = 0;
  double mfu(const train::StepMetrics& metrics) const;
};

/// Takes some tens of milliseconds on a CPU. Every rank makes the same call.
ModelPace measure_pace(const jobs::JobSpec& job, LoadedModel& model, const train::BatchShape& shape);

}  // namespace trireme::cli
