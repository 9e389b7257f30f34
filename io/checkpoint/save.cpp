#include "io/checkpoint/save.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/bytes.h"
#include "core/error.h"
#include "io/checkpoint/digest.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/manifest.h"
#include "io/checkpoint/master.h"
#include "io/checkpoint/retention.h"
#include "io/disk_work.h"
#include "io/file.h"

namespace trireme::io {
namespace {

namespace fs = std::filesystem;

void require_space(const fs::path& checkpoints, std::uint64_t bytes) {
  constexpr std::uint64_t for_files_around_it = std::uint64_t{1} << 20;
  const std::uint64_t needed = bytes + bytes / 100 + for_files_around_it;
  std::error_code unknown;
  const fs::space_info space = fs::space(checkpoints, unknown);
  if (!unknown && space.available < needed)
    fail(ExitCode::requeue,
         "{}: a checkpoint needs {}, but only {} are free; the older checkpoints stay as they are",
         checkpoints.string(), human_bytes(static_cast<double>(needed)),
         human_bytes(static_cast<double>(space.available)));
}

/// Others of the same step, under another name: of a run with another batch, or left by a crash.
void remove_others_of_step(const fs::path& final_path) {
  const std::string kept = final_path.filename().string();
  for (const std::string& name : checkpoint_names(final_path.parent_path()))
    if (name != kept && step_of(name) == step_of(kept)) remove_whole(final_path.parent_path() / name);
}

}  // namespace

std::string shard_name(int rank) {
  return fmt::format("shard-{:05d}.h5", rank);
}

fs::path begin_save(const fs::path& checkpoints, const std::string& name, std::uint64_t bytes) {
  fs::path temporary = checkpoints / (name + std::string(temporary_suffix));
  on_disk("making " + checkpoints.string(),
          [&](std::error_code& status) { fs::create_directories(checkpoints, status); });
  remove_leftovers(checkpoints);
  require_space(checkpoints, bytes);
  on_disk("making " + temporary.string(),
          [&](std::error_code& status) { fs::create_directory(temporary, status); });
  return temporary;
}

void take_name(const fs::path& temporary, const fs::path& final_path) {
  const fs::path folder = final_path.parent_path();
  if (!fs::exists(final_path)) {
    on_disk("renaming " + temporary.string(),
            [&](std::error_code& status) { fs::rename(temporary, final_path, status); });
    return sync_folder(folder);
  }
  if (swap_names(temporary, final_path)) {
    // The temporary name now stands for the old one.
    sync_folder(folder);
    on_disk("removing " + temporary.string(),
            [&](std::error_code& status) { fs::remove_all(temporary, status); });
    return;
  }
  fs::path replaced = final_path;
  replaced += replaced_suffix;
  on_disk("clearing " + replaced.string(),
          [&](std::error_code& status) { fs::remove_all(replaced, status); });
  on_disk("renaming " + final_path.string(),
          [&](std::error_code& status) { fs::rename(final_path, replaced, status); });
  on_disk("renaming " + temporary.string(),
          [&](std::error_code& status) { fs::rename(temporary, final_path, status); });
  sync_folder(folder);
  remove_whole(replaced);
}

fs::path commit_save(const fs::path& temporary, std::vector<ShardRecord> shards,
                     const boost::json::object& state) {
  require(temporary.extension() == temporary_suffix, "{} is not a checkpoint in the making",
          temporary.string());
  require_complete(shards);
  Manifest manifest;
  const std::vector<std::byte> master = master_image(shards);
  RunningDigest master_digest;
  master_digest.add(master);
  manifest.master = {master_file, master.size(), master_digest.text()};
  manifest.shards = std::move(shards);
  manifest.state = state;
  const std::string text = to_json(manifest);
  const std::string digest = text_digest(text) + "\n";
  const fs::path folder = temporary.parent_path(), final_path = folder / temporary.stem();
  const std::string name = final_path.filename().string() + "\n";
  const fs::path latest = folder / latest_file, next_latest = folder / (latest_file + std::string(".tmp"));
  write_and_reread({{temporary / master_file, master},
                    {temporary / manifest_file, std::as_bytes(std::span(text))},
                    {temporary / manifest_digest_file, std::as_bytes(std::span(digest))},
                    {next_latest, std::as_bytes(std::span(name))}});
  sync_folder(temporary);
  take_name(temporary, final_path);
  on_disk("renaming " + next_latest.string(),
          [&](std::error_code& status) { fs::rename(next_latest, latest, status); });
  sync_folder(folder);
  remove_others_of_step(final_path);
  return final_path;
}

}  // namespace trireme::io
