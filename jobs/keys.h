#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "jobs/job_spec.h"

namespace trireme::jobs {

/// Where a key's value lives in a JobSpec.
using Place = std::variant<std::string& (*)(JobSpec&), std::int64_t& (*)(JobSpec&), double& (*)(JobSpec&),
                           bool& (*)(JobSpec&)>;

/// One key of a job file: its name (with its section, as in "slurm.nodes"), its place, what values it takes
/// and what it means.
struct Key {
  std::string_view name;
  Place place;
  std::string_view meaning;
  double least = 0, most = 0;  ///< for numbers; equal: no bounds
  std::vector<std::string_view> choices = {};
  std::vector<std::string_view> aliases = {};
};

const std::vector<Key>& keys();

/// A key that other tools have and this version does not act on. Written with a value that means "off", it is
/// accepted.
struct RefusedKey {
  std::string_view name;
  std::string_view reason;
};
const std::vector<RefusedKey>& refused_keys();

/// A key that asks for what trireme does anyway; accepted with this note.
struct MappedKey {
  std::string_view name;
  std::string_view note;
};
const std::vector<MappedKey>& mapped_keys();

/// Values of known keys whose feature does not exist.
struct RefusedValue {
  std::string_view key, value, reason;
};
const std::vector<RefusedValue>& refused_values();

}  // namespace trireme::jobs
