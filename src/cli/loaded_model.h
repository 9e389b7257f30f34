#pragma once
#include <optional>

#include "cli/batch_shape.h"
#include "cli/ranks.h"
#include "cli/watch.h"
#include "jobs/job_spec.h"
#include "model/work.h"
#include "sharding/engine.h"
#include "train/adapter_folder.h"
#include "train/pretrained.h"

namespace trireme::cli {

/// How a job computes on this process's device or its host: the type of its activations and products.
sharding::Codec compute_type(const jobs::JobSpec& job);
at::ScalarType scalar_type(sharding::Codec compute);
/// What one of a job's micro-batches is like there.
model::WorkShape work_shape(const jobs::JobSpec& job, const model::ModelSpec& spec, sharding::Codec compute);
/// Ranks of a node share its cores, unless the user says how many threads each has.
void share_cores(const comm::World& world);

/// A job's model under its placement, with the weights of the base model and of the adapter.
class LoadedModel {
 public:
  LoadedModel(const jobs::JobSpec& job, const Worlds& worlds, Watch& watch);
  sharding::Engine& engine() { return engine_; }
  /// With its vocabulary in chunks where the engine has it so.
  const model::ModelSpec& spec() const { return spec_; }
  sharding::Codec compute() const { return compute_; }

 private:
  sharding::Codec compute_;
  train::Pretrained pretrained_;
  std::optional<train::AdapterFolder> adapter_;
  model::ModelSpec spec_;
  sharding::Engine engine_;
};

}  // namespace trireme::cli
