#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "cli/commands.h"

namespace trireme::cli {

/// The finished checkpoints in a folder, oldest first.
struct CheckpointPlace {
  std::filesystem::path checkpoints;
  std::vector<std::string> names;
  bool all = false;  ///< none of them was chosen
  std::filesystem::path newest() const { return checkpoints / names.back(); }
};

/// `given` is a run folder, its folder of checkpoints, or one checkpoint; `name`, where it is not empty, a
/// checkpoint's name or step. Fails where there is none.
CheckpointPlace find_checkpoints(const std::string& given, const std::string& name);

void add_checkpoint_diff(Command checkpoint);
void add_checkpoint_convert(Command checkpoint);

}  // namespace trireme::cli
