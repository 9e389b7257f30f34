#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "sharding/engine.h"
#include "train/trainer.h"

namespace trireme::train {

/// A run's checkpoints of what is trained; frozen parameters come from the base model again. Every rank
/// writes what it holds first, and any number of ranks under any placement reads it back. Every rank makes
/// the same calls; what goes wrong on one is thrown on all.
class Checkpoints {
 public:
  /// Keeps the newest `keep`; `engine` outlives this.
  Checkpoints(std::filesystem::path folder, sharding::Engine& engine, int keep);

  /// Visible once all of it is on disk; a failed save leaves the older ones as they were.
  void save(const TrainerState& state);
  /// Puts the newest sound checkpoint into the engine; nothing when there is none. A damaged one is named in
  /// the log, and the one before it is taken.
  std::optional<TrainerState> load();

 private:
  std::filesystem::path folder_;
  sharding::Engine& engine_;
  int keep_;
};

}  // namespace trireme::train
