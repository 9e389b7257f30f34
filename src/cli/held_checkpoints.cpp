#include "cli/held_checkpoints.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.h"
#include "io/checkpoint/folder.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

std::string prefix_of_this_host() {
  char host[256] = "host";
  ::gethostname(host, sizeof(host) - 1);
  return fmt::format("export-holds-{}-", host);
}

/// What exports that were killed on this host left, which would keep pruned checkpoints on the disk.
void remove_leftovers(const fs::path& run, std::string_view prefix) {
  std::error_code status;
  for (fs::directory_iterator entry(run, status), end; !status && entry != end; entry.increment(status)) {
    const std::string name = entry->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    int process = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), process);
    std::error_code ignored;
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) fs::remove_all(entry->path(), ignored);
  }
}

std::error_code link_files(const fs::path& from, const fs::path& to) {
  std::error_code status;
  fs::create_directory(to, status);
  fs::directory_iterator entry;
  if (!status) entry = fs::directory_iterator(from, status);
  for (; !status && entry != fs::directory_iterator(); entry.increment(status)) {
    fs::create_hard_link(entry->path(), to / entry->path().filename(), status);
    if (status) break;
  }
  return status;
}

}  // namespace

bool HeldCheckpoints::hold(const fs::path& checkpoints) {
  std::error_code ignored, status;
  fs::remove_all(held_, ignored);
  fs::create_directory(held_, status);
  folder_ = held_;
  const auto names = io::checkpoint_names(checkpoints);
  for (auto name = names.begin(); !status && name != names.end(); ++name) {
    status = link_files(checkpoints / *name, held_ / *name);
    if (status == std::errc::no_such_file_or_directory) return false;
  }
  if (status) folder_ = checkpoints;
  return true;
}

HeldCheckpoints::HeldCheckpoints(const fs::path& run) {
  const std::string prefix = prefix_of_this_host();
  held_ = run / fmt::format("{}{}.tmp", prefix, ::getpid());
  remove_leftovers(run, prefix);
  constexpr int tries = 20;
  for (int i = 0; i < tries; ++i)
    if (hold(run / "checkpoints")) return;
  fail(ExitCode::requeue, "{}: checkpoints are replaced faster than they can be opened; export again",
       run.string());
}

HeldCheckpoints::~HeldCheckpoints() {
  std::error_code ignored;
  fs::remove_all(held_, ignored);
}

}  // namespace trireme::cli
