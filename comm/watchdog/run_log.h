#pragma once
#include <filesystem>
#include <string_view>

#include "core/descriptor.h"

namespace trireme::comm {

/// The watchdog's own way to stderr and to the rank's log file. It takes no lock that a hung thread may hold
/// and waits for no full pipe.
class RunLog {
 public:
  /// `run_folder` may be empty; its log folder is made where it is missing.
  RunLog(const std::filesystem::path& run_folder, int rank, const std::string& host);

  void write(std::string_view level, std::string_view line) const noexcept;

 private:
  std::string who_;
  Descriptor file_;
};

}  // namespace trireme::comm
