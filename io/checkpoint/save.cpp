#include "io/checkpoint/save.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/master.h"
#include "io/file.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view temporary_suffix = ".tmp";

template <typename Work>
void on_disk(const std::string& doing, Work work) {
  std::error_code status;
  work(status);
  if (status) fail(ExitCode::requeue, "{} failed: {}", doing, status.message());
}

}  // namespace

std::string shard_name(int rank) {
  return fmt::format("shard-{:05d}.h5", rank);
}

fs::path begin_save(const fs::path& checkpoints, const std::string& name, std::uint64_t bytes) {
  fs::path temporary = checkpoints / (name + std::string(temporary_suffix));
  on_disk("making " + checkpoints.string(),
          [&](std::error_code& status) { fs::create_directories(checkpoints, status); });
  on_disk("clearing " + temporary.string(),
          [&](std::error_code& status) { fs::remove_all(temporary, status); });
  std::error_code unknown;
  const fs::space_info space = fs::space(checkpoints, unknown);
  if (!unknown && space.available < bytes)
    fail(ExitCode::requeue,
         "{}: a checkpoint needs {}, but only {} are free; the older checkpoints stay as they are",
         checkpoints.string(), human_bytes(static_cast<double>(bytes)),
         human_bytes(static_cast<double>(space.available)));
  on_disk("making " + temporary.string(),
          [&](std::error_code& status) { fs::create_directory(temporary, status); });
  return temporary;
}

void commit_save(const fs::path& temporary, std::vector<ShardRecord> shards,
                 const boost::json::object& state) {
  require(temporary.extension() == temporary_suffix, "{} is not a checkpoint in the making",
          temporary.string());
  require_complete(shards);
  Manifest manifest;
  manifest.master = write_master(temporary / master_file, shards);
  manifest.shards = std::move(shards);
  manifest.state = state;
  const std::string text = to_json(manifest);
  write_text_atomically(temporary / manifest_file, text);
  write_text_atomically(temporary / manifest_digest_file, text_digest(text) + "\n");
  sync_folder(temporary);
  const fs::path checkpoints = temporary.parent_path(), final_path = checkpoints / temporary.stem();
  on_disk("replacing " + final_path.string(),
          [&](std::error_code& status) { fs::remove_all(final_path, status); });
  on_disk("renaming " + temporary.string(),
          [&](std::error_code& status) { fs::rename(temporary, final_path, status); });
  sync_folder(checkpoints);
  write_text_atomically(checkpoints / latest_file, final_path.filename().string() + "\n");
}

void prune(const fs::path& checkpoints, int keep) {
  const std::vector<std::string> names = checkpoint_names(checkpoints);
  const std::size_t surplus =
      names.size() - std::min(names.size(), static_cast<std::size_t>(std::max(keep, 1)));
  for (std::size_t i = 0; i < surplus; ++i) {
    // Renamed first, so a checkpoint that is half removed is never taken for one.
    const fs::path old = checkpoints / names[i],
                   gone = checkpoints / (names[i] + std::string(temporary_suffix));
    on_disk("clearing " + gone.string(), [&](std::error_code& status) { fs::remove_all(gone, status); });
    on_disk("removing " + old.string(), [&](std::error_code& status) { fs::rename(old, gone, status); });
  }
  std::vector<fs::path> leftovers;
  for (const auto& entry : fs::directory_iterator(checkpoints))
    if (entry.is_directory() && entry.path().extension() == temporary_suffix)
      leftovers.push_back(entry.path());
  for (const fs::path& leftover : leftovers)
    on_disk("removing " + leftover.string(),
            [&](std::error_code& status) { fs::remove_all(leftover, status); });
  sync_folder(checkpoints);
}

}  // namespace trireme::io
