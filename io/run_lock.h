#pragma once
#include <filesystem>
#include <string>

#include "core/descriptor.h"

namespace trireme::io {

/// Holds a folder (of a run, of prepared tokens) for one job, as long as it lives or until its process ends,
/// however it ends. The file "lock" in the folder says who holds it.
class RunLock {
 public:
  /// Makes the folder where it is missing. Waits a few seconds for a job that is just ending, then refuses
  /// with an error of the code "configuration" that names the holder. `about` is written beside host, process
  /// and time: how the job was launched.
  RunLock(const std::filesystem::path& run_folder, const std::string& about,
          double patience_s = default_patience_s);

  static constexpr double default_patience_s = 5;
  /// For work that the holder does for all: the next one finds it done.
  static constexpr double as_long_as_it_takes = 1e9;
  /// Whether some job holds the folder now.
  static bool is_held(const std::filesystem::path& run_folder);

 private:
  Descriptor file_;
};

}  // namespace trireme::io
