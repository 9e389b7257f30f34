#pragma once
#include <string>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// What a single value cannot tell: that required ones are there and that they agree. Adds notes on defaults
/// worth knowing.
void check(JobSpec& job, const std::string& where);

}  // namespace trireme::jobs
