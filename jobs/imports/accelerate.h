#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "jobs/imports/foreign_key.h"

namespace trireme::jobs {

/// accelerate's configuration YAML (what `accelerate config` writes) as settings of a job file.
/// `quantised_base`: the job trains adapters beside a quantised base.
Import read_accelerate(const std::filesystem::path& path, bool quantised_base);
Import parse_accelerate(std::string_view text, const std::string& where, const std::filesystem::path& folder,
                        bool quantised_base);

const std::vector<ForeignKey>& accelerate_keys();

}  // namespace trireme::jobs
