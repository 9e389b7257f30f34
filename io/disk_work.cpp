#include "io/disk_work.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include <fcntl.h>

#include "core/lane.h"
#include "io/aligned_memory.h"
#include "io/file.h"

namespace trireme::io {

namespace fs = std::filesystem;

namespace {

void reread(const NewFile& given) {
  const File file = File::open_for_direct_reading(given.path);
  const std::size_t pages = given.bytes.size() / direct_alignment + 1;
  const Buffer memory = aligned_memory(pages * direct_alignment);
  const std::span found(memory.as<std::byte>(), memory.bytes());
  const std::size_t got = file.read_until_end(0, found);
  if (got != given.bytes.size() || !std::equal(given.bytes.begin(), given.bytes.end(), found.begin()))
    fail(ExitCode::damaged, "{}: reads back differently from what was written", given.path.string());
}

}  // namespace

bool swap_names(const fs::path& one, const fs::path& other) {
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) == 0) return true;
  if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) return false;
  fail(ExitCode::requeue, "putting {} in the place of {} failed: {}", one.string(), other.string(),
       std::strerror(errno));
}

void write_and_reread(const std::vector<NewFile>& files) {
  std::vector<File> open;
  for (const NewFile& file : files) {
    open.push_back(File::create(file.path));
    open.back().write(0, file.bytes);
  }
  // The file system's journal takes several syncs at the price of one.
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<Event> synced;
  for (std::size_t i = 0; i < files.size(); ++i) {
    lanes.push_back(std::make_unique<Lane>("sync"));
    synced.push_back(lanes.back()->post([&file = open[i], &given = files[i]] {
      file.sync();
      file.drop_cache();
      reread(given);
    }));
  }
  for (const Event& event : synced) event.wait();
}

void remove_whole(const fs::path& folder) {
  fs::path gone = folder;
  gone += ".tmp";
  on_disk("clearing " + gone.string(), [&](std::error_code& status) { fs::remove_all(gone, status); });
  on_disk("renaming " + folder.string(), [&](std::error_code& status) { fs::rename(folder, gone, status); });
  on_disk("removing " + gone.string(), [&](std::error_code& status) { fs::remove_all(gone, status); });
}

}  // namespace trireme::io
