#include <fmt/format.h>

#include "cli/checkpoint_commands.h"
#include "core/error.h"
#include "io/checkpoint/folder.h"

namespace trireme::cli {

namespace fs = std::filesystem;

CheckpointPlace find_checkpoints(const std::string& given, const std::string& name) {
  const fs::path path = fs::path(given).lexically_normal();
  if (!fs::is_directory(path)) fail(ExitCode::configuration, "{}: is not a folder", path.string());
  CheckpointPlace place;
  if (fs::exists(path / io::manifest_file)) {
    const fs::path whole = path.has_filename() ? path : path.parent_path();
    place = {whole.parent_path(), {whole.filename().string()}, false};
  } else {
    place.checkpoints = fs::exists(path / "checkpoints") ? path / "checkpoints" : path;
    place.names = io::checkpoint_names(place.checkpoints);
    place.all = name.empty();
  }
  if (!name.empty()) {
    std::erase_if(place.names, [&](const std::string& each) {
      return each != name && fmt::format("{}", io::step_of(each).value_or(-1)) != name;
    });
    if (place.names.empty())
      fail(ExitCode::configuration, "{} holds no checkpoint {}", place.checkpoints.string(), name);
  }
  if (place.names.empty())
    fail(ExitCode::configuration, "{} holds no finished checkpoint", place.checkpoints.string());
  return place;
}

}  // namespace trireme::cli
