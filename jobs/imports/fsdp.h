#pragma once
#include <string>
#include <vector>

#include "jobs/imports/foreign_key.h"

namespace trireme::jobs {

/// FSDP as Axolotl's `fsdp:` and `fsdp_config:` and accelerate's `fsdp_config:` say it; names with or without
/// "fsdp_" before them.
struct FsdpSettings {
  std::vector<Setting> words;   ///< `fsdp: [full_shard, auto_wrap]`, none or one
  std::vector<Setting> config;  ///< the members of fsdp_config, without that prefix
  bool quantised_base = false;  ///< adapter: qlora
};
Import read_fsdp(const FsdpSettings& settings);

const std::vector<ForeignKey>& fsdp_keys();

}  // namespace trireme::jobs
