#pragma once
#include <string>
#include <vector>

#include "cli/loaded_model.h"
#include "cli/open_data.h"
#include "train/metrics.h"
#include "train/trainer.h"

namespace trireme::cli {

/// Evaluates a run's model on every named set.
class Evaluations {
 public:
  /// All of them outlive this.
  Evaluations(const jobs::JobSpec& job, const OpenedData& data, LoadedModel& model, train::Trainer& trainer);
  bool any() const { return !data_.evaluation.empty(); }
  /// The same on every rank; `most_batches` of each set, 0: all.
  std::vector<train::Evaluation> run(std::int64_t most_batches = 0);
  /// "held_out/loss": what the best model is chosen by.
  std::string measure() const;
  /// The measure, with its sign changed where more of it is better.
  double score(const std::vector<train::Evaluation>& evaluations) const;

 private:
  const jobs::JobSpec& job_;
  const OpenedData& data_;
  LoadedModel& model_;
  train::Trainer& trainer_;
};

/// Of a measure "SET/loss", "SET/token_accuracy", ….
bool higher_is_better(const std::string& measure);

/// "held_out: loss 2.31, perplexity 10.1, 48.1 % of tokens, …".
std::string words_of(const train::Evaluation& evaluation);

}  // namespace trireme::cli
