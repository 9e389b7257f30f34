#pragma once
#include <string>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// The whole job as YAML, defaults included; reading it back gives the same job.
std::string to_yaml(JobSpec job);
/// The same, and behind each value that somebody wrote, as a comment, where.
std::string to_yaml_with_origins(JobSpec job);
/// A JSON schema of job files, for editors.
std::string json_schema();

}  // namespace trireme::jobs
