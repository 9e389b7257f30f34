#include "cli/saver.h"

#include <cmath>

#include "core/error.h"

namespace trireme::cli {

Saver::Saver(train::Checkpoints& checkpoints, Watch& watch, const train::BatchShape& shape,
             std::int64_t steps_per_epoch, std::int64_t step)
    : checkpoints_(checkpoints),
      watch_(watch),
      shape_(shape),
      steps_per_epoch_(steps_per_epoch),
      saved_(step) {}

void Saver::note(double loss) {
  checkpoints_.advance();
  if (std::isfinite(loss)) losses_ += loss;
}

void Saver::save(const train::TrainerState& state, std::optional<double> score, const std::string& measure) {
  if (saved_ == state.step) return;
  train::SaveFacts facts;
  facts.loss = losses_ / static_cast<double>(state.step - saved_);
  facts.score = score, facts.measure = measure;
  facts.samples = state.step * shape_.rows_per_step;
  facts.epoch = static_cast<double>(state.step) / static_cast<double>(steps_per_epoch_);
  losses_ = 0, saved_ = state.step;
  watch_.slow_phase("save");
  checkpoints_.save(state, facts);
}

void Saver::finish(std::int64_t last_step) {
  watch_.slow_phase("save");
  checkpoints_.finish();
  if (checkpoints_.saved_step() != last_step && checkpoints_.last_failure())
    throw Error(*checkpoints_.last_failure());
}

}  // namespace trireme::cli
