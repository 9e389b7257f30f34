#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// A job file and what the command line changes in it. Every error is one sentence with file and line, of the
/// code "configuration".
JobSpec load_job(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});
JobSpec parse_job(std::string_view text, const std::string& where,
                  const std::vector<std::string>& overrides = {}, const std::filesystem::path& folder = {});

}  // namespace trireme::jobs
