#pragma once
#include "cli/ranks.h"
#include "jobs/job_spec.h"
#include "model/spec.h"
#include "sharding/engine.h"
#include "sharding/predict/work.h"

namespace trireme::cli {

/// How long a job's units take as an engine runs them: cold caches, gradients summed where they are kept,
/// the lanes' threads. Medians over steps, of the slowest rank.
struct ShortTraining {
  double blocks_forward_s = 0, blocks_backward_s = 0, head_s = 0;
  /// What the units were foretold to do.
  sharding::ModelWork work;
};

/// Of the units that a model has between its embedding and its head.
bool is_block(const sharding::UnitWork& unit);

/// Trains the job's model with a few of its blocks on every rank at once, nothing sent between them and
/// updates after all backward passes. Every rank calls it.
ShortTraining train_shortly(const jobs::JobSpec& job, const model::ModelSpec& spec, const Worlds& worlds,
                            sharding::Codec compute);

/// A step as the job runs it, updates included, on ranks that send nothing.
struct WholeStep {
  double seconds = 0;
  sharding::Schedule schedule;
  sharding::ModelWork work;
};

/// The same model with the job's optimizer and order of updates. Every rank calls it.
WholeStep step_shortly(const jobs::JobSpec& job, const model::ModelSpec& spec, const Worlds& worlds,
                       sharding::Codec compute);

}  // namespace trireme::cli
