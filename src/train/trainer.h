#pragma once
#include <functional>
#include <optional>

#include "optim/failure_guard.h"
#include "optim/loss_scaler.h"
#include "optim/rates.h"
#include "optim/spike_watch.h"
#include "sharding/engine.h"
#include "train/batches.h"
#include "train/early_stop.h"
#include "train/metrics.h"

namespace trireme::train {

struct TrainerSettings {
  std::int64_t total_steps = 1;
  optim::RateSchedule rate;
  std::optional<double> max_norm;
  /// For fp16; without it the guard says what becomes of a gradient that is not finite.
  std::optional<optim::LossScaleSettings> loss_scale;
  optim::GuardSettings guard;
  optim::SpikeSettings spikes;
};

/// Means over the scored tokens of all ranks.
struct EvaluationMeans {
  double loss = 0, token_accuracy = 0;
};

/// What a checkpoint keeps beside the engine's slices.
struct TrainerState {
  /// Steps done, and updates among them: an overflow makes a step without one.
  std::int64_t step = 0, updates = 0;
  /// Which samples the steps saw follows from it.
  std::int64_t rows_per_step = 0;
  optim::LossScaler::State loss_scale;
  optim::FailureGuard::State guard{};
  optim::SpikeWatch::State spikes{};
  EarlyStop::State evaluations{};
};

/// The loop over steps. Each rank runs one, over its own engine, and all see the same metrics.
class Trainer {
 public:
  Trainer(sharding::Engine& engine, const BatchSource& batches, const BatchShape& shape,
          const TrainerSettings& settings);

  /// One step; its metrics are the same on every rank but for the time.
  StepMetrics step();
  /// Steps until all are done or `after_step` returns false.
  void run(const std::function<bool(const StepMetrics&)>& after_step);
  /// Of `steps` batches of another source, one micro-batch row count as in training.
  EvaluationMeans evaluate(const BatchSource& batches, std::int64_t steps);

  const BatchShape& shape() const { return shape_; }
  TrainerState state() const;
  /// Refuses a state of steps with another number of rows: samples would be repeated or skipped.
  void restore(const TrainerState& state);

 private:
  /// Weighs each context by all ranks' scored tokens; their number.
  std::int64_t weigh(std::vector<sharding::Context>& contexts, double loss_scale);
  /// A step without an update: what was not finite, and where it began; ends the run where it must.
  std::string failed_step(const sharding::StepInput& input, const StepMetrics& metrics);
  /// The same of a step whose loss leapt.
  std::string spiked_step(const StepMetrics& metrics);

  sharding::Engine& engine_;
  const BatchSource& batches_;
  BatchShape shape_;
  TrainerSettings settings_;
  std::optional<optim::LossScaler> scaler_;
  optim::FailureGuard guard_;
  optim::SpikeWatch spikes_;
  std::int64_t step_ = 0, updates_ = 0;
};

}  // namespace trireme::train
