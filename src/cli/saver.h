#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "cli/watch.h"
#include "train/batches.h"
#include "train/checkpoints.h"

namespace trireme::cli {

/// Saves, and what a save is told beside the state. Every rank makes the same calls.
class Saver {
 public:
  /// `checkpoints` and `watch` outlive this; `step`: the last one whose state is saved.
  Saver(train::Checkpoints& checkpoints, Watch& watch, const train::BatchShape& shape,
        std::int64_t steps_per_epoch, std::int64_t step);

  /// After each step: takes a save that is going on further, and counts the loss for the next.
  void note(double loss);
  /// `score`: of the evaluation after this step, where there was one.
  void save(const train::TrainerState& state, std::optional<double> score, const std::string& measure);
  /// Waits for the save that is going on; throws what the last one failed with where the last step is not
  /// saved.
  void finish(std::int64_t last_step);

 private:
  train::Checkpoints& checkpoints_;
  Watch& watch_;
  train::BatchShape shape_;
  std::int64_t steps_per_epoch_, saved_;
  double losses_ = 0;
};

}  // namespace trireme::cli
