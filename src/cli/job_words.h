#pragma once
#include <string>
#include <vector>

#include "cli/command_line.h"
#include "jobs/job_spec.h"

namespace trireme::cli {

/// A job file, what is changed in it, and other tools' files that come with it.
struct JobWords {
  std::string file;
  std::vector<std::string> overrides;
  std::string deepspeed, accelerate;
};

/// Adds `job.yaml`, `key=value …`, `--deepspeed` and `--accelerate` to a command.
void add_job_words(Command command, JobWords& words);
jobs::JobSpec load(const JobWords& words);
/// "key=value" with the value as text, whatever is in it.
std::string assignment(const std::string& key, const std::string& value);

}  // namespace trireme::cli
