#pragma once
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

namespace trireme::jobs {

/// One key of a job file with its section ("slurm.nodes"), its value, and where it was written.
struct Setting {
  Setting() = default;
  Setting(std::string its_name, const YAML::Node& its_value, std::string its_place)
      : name(std::move(its_name)), value(its_value), where(std::move(its_place)) {}
  Setting(const Setting&) = default;
  /// A node's own assignment changes the node that it stood for.
  Setting& operator=(const Setting& other) {
    name = other.name, where = other.where;
    value.reset(other.value);
    return *this;
  }
  ~Setting() = default;

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
