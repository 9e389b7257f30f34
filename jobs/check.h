#pragma once
#include <string>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// What a single value cannot tell: that required ones are there and that they agree. Adds notes on defaults
/// worth knowing.
void check(JobSpec& job, const std::string& where);
/// Notes where a job that was written for Axolotl leaves out what Axolotl would choose otherwise.
void say_other_defaults(JobSpec& job);

}  // namespace trireme::jobs
