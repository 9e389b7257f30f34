#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "jobs/read_yaml.h"

namespace trireme::jobs {

/// A job's settings in the order in which they count. `deepspeed:`, `fsdp:`, `fsdp_config:` and `accelerate:`
/// are replaced by what they say in our own words, each key of theirs with a note. A job file must agree with
/// them, but for values that are "auto"; the command line has the last word.
std::vector<Setting> in_own_words(std::vector<Setting> file, std::vector<Setting> command_line,
                                  const std::filesystem::path& folder, std::vector<std::string>& notes);

/// "deepspeed", "fsdp", "fsdp_config", "accelerate".
const std::vector<std::string_view>& foreign_sections();

}  // namespace trireme::jobs
