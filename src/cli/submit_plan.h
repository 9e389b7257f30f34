#pragma once
#include "jobs/job_spec.h"

namespace trireme::cli {

/// Plans the job on the nodes that it asks Slurm for and says what it foretells; adds a note where nobody
/// knows the machine or the model. Throws a configuration error that names the nearest that fits where the
/// job does not.
void foretell(jobs::JobSpec& job);

}  // namespace trireme::cli
