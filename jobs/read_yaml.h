#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace trireme::jobs {

/// One key of a job file with its section ("slurm.nodes"), its value, and where it was written.
struct Setting {
  std::string name;
  YAML::Node value;
  std::string where;
};

/// Flattens a job file: sections become prefixes, except `datasets`, whose list stays one value. `include:
/// other.yaml` is read first, so what follows overrides it. Refuses a key that one file gives twice.
std::vector<Setting> read_settings(std::string_view text, const std::string& where,
                                   const std::filesystem::path& folder);
/// "key=value" or "section.key=value" from the command line; the value is YAML.
Setting read_override(const std::string& word);

}  // namespace trireme::jobs
