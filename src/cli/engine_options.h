#pragma once
#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "sharding/engine.h"

namespace trireme::cli {

/// How a job's schedule is made and its tiers are kept, by this rank.
sharding::EngineOptions engine_options(const jobs::JobSpec& job, const comm::World& world);

}  // namespace trireme::cli
