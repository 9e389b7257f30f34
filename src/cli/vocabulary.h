#pragma once
#include "jobs/job_spec.h"
#include "model/spec.h"
#include "sharding/placement.h"

namespace trireme::cli {

/// With the chunks of the vocabulary that the job asks for by number.
model::ModelSpec with_named_chunks(model::ModelSpec spec, const jobs::JobSpec& job);
/// With those of the size of a block where the job leaves it open and the vocabulary is worth it.
model::ModelSpec with_fitting_chunks(model::ModelSpec spec, const jobs::JobSpec& job);
/// As the job is run: fitting ones only where its placement splits the vocabulary over ranks.
model::ModelSpec with_chunks(model::ModelSpec spec, const jobs::JobSpec& job,
                             const sharding::Placement& placement, const sharding::Extent& extent);

}  // namespace trireme::cli
