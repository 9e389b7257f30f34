#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "jobs/imports/foreign_key.h"

namespace trireme::jobs {

/// A DeepSpeed JSON as settings of a job file. Throws one sentence for what trireme does not do.
Import read_deepspeed(const std::filesystem::path& path);
Import parse_deepspeed(std::string_view text, const std::string& where);
/// From settings that were flattened already.
Import compose_deepspeed(const std::vector<Setting>& settings);

const std::vector<ForeignKey>& deepspeed_keys();
/// Its sections `optimizer` and `scheduler`.
void compose_optimizer(ForeignReader& file);

}  // namespace trireme::jobs
