#pragma once
#include <string>
#include <vector>

#include "jobs/read_yaml.h"

namespace trireme::jobs {

/// What became of one key of another tool's file.
struct Mapped {
  std::string key;   ///< with its value, as the other tool spells it
  std::string what;  ///< the settings of ours that it turned into; empty where it asks for nothing
  std::string note;  ///< why; may be empty where `what` says it all
  bool operator==(const Mapped&) const = default;
};

/// "zero_optimization.stage = 2: placement.preset: zero2 (…)"
std::string sentence_of(const Mapped& mapped);

/// Another tool's file as settings of ours.
struct Import {
  std::vector<Setting> settings;
  std::vector<Mapped> mapped;
  void append(const Import& more);
};

}  // namespace trireme::jobs
