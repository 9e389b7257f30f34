#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "comm/watchdog/verdict.h"

namespace trireme::comm {

/// A failed run's `status.json`: what the watchdogs decided, for whoever looks after the processes are gone.
struct FailureStatus {
  Verdict verdict;
  /// Tells the run that failed from an earlier one in the same folder; empty where nobody gave one.
  std::string launch;
};

/// Writes a temporary file, syncs it and renames it, so that a reader finds the whole text or the old one.
void write_status(const std::filesystem::path& file, const FailureStatus& status);
/// Nothing when there is no such file, it does not speak of a failure, or that of another launch.
std::optional<FailureStatus> read_failure(const std::filesystem::path& file, const std::string& launch);
/// Whether the file holds a last word on this launch: the ranks' own, or a verdict on them.
bool tells_the_end_of(const std::filesystem::path& file, const std::string& launch);

}  // namespace trireme::comm
