#pragma once
#include "cli/ranks.h"
#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "model/spec.h"
#include "sharding/engine.h"
#include "sharding/predict/search.h"

namespace trireme::cli {

/// How a job's schedule is made and its tiers are kept, by this rank.
sharding::EngineOptions engine_options(const jobs::JobSpec& job, const comm::World& world);
sharding::EngineOptions engine_options(const jobs::JobSpec& job, const Worlds& worlds);
/// For an engine of this model, which reads as much state ahead as memory has room for.
sharding::EngineOptions engine_options(const jobs::JobSpec& job, const Worlds& worlds,
                                       const model::ModelSpec& spec, sharding::Codec compute);
/// Those of this rank's node that update state on the host: its ranks take them in turn.
std::vector<int> cores_for_updates(const jobs::JobSpec& job, const comm::World& world);
/// What is foretold of the job on these ranks, with the schedule that they have.
sharding::Setting setting_here(const jobs::JobSpec& job, const comm::World& world, sharding::Codec compute);

}  // namespace trireme::cli
