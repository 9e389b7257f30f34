#pragma once
#include <filesystem>

namespace trireme::cli {

/// The checkpoints of a run that may still train, as they are now: their files have second names as long as
/// this lives, so the job may prune and replace them meanwhile. Takes no room of its own.
class HeldCheckpoints {
 public:
  explicit HeldCheckpoints(const std::filesystem::path& run);
  ~HeldCheckpoints();
  HeldCheckpoints(const HeldCheckpoints&) = delete;
  HeldCheckpoints& operator=(const HeldCheckpoints&) = delete;

  /// The folder of checkpoints to read; the run's own where its file system has no second names.
  const std::filesystem::path& folder() const { return folder_; }

 private:
  /// False where checkpoints went away before all of them were held.
  bool hold(const std::filesystem::path& checkpoints);

  std::filesystem::path held_, folder_;
};

}  // namespace trireme::cli
