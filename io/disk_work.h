#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"

namespace trireme::io {

/// Runs one file-system operation that reports by error code; throws one sentence when it fails.
template <typename Work>
void on_disk(const std::string& doing, Work work) {
  std::error_code status;
  work(status);
  if (status) fail(ExitCode::requeue, "{} failed: {}", doing, status.message());
}

/// Exchanges what two names stand for, in one step; false where the file system cannot do that.
bool swap_names(const std::filesystem::path& one, const std::filesystem::path& other);

struct NewFile {
  std::filesystem::path path;
  std::span<const std::byte> bytes;
};
/// Writes new files, syncs them all at once, and compares what the disk then has with what was given.
void write_and_reread(const std::vector<NewFile>& files);

/// Removes a folder that others may be about to read: it loses its name first, so nobody finds half of it.
void remove_whole(const std::filesystem::path& folder);

}  // namespace trireme::io
