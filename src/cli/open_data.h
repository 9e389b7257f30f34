#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/tokenizer/tokenizer.h"
#include "jobs/job_spec.h"
#include "train/answers.h"
#include "train/row_batches.h"

namespace trireme::cli {

/// Rows that a run is evaluated on, in an order that stays.
struct EvaluationSet {
  std::string name;
  train::RowBatches rows;
  /// What the model answers in its own words.
  std::vector<train::Question> questions;
};

struct OpenedData {
  train::RowBatches training;
  /// What val_set_size holds back ("held_out"), then the test_datasets.
  std::vector<EvaluationSet> evaluation;
  /// Null where rows are tokens alone.
  std::shared_ptr<const io::Tokenizer> tokenizer;
  std::int32_t end_token = -1;
};

/// The rows that a job trains on and those it is evaluated on; text is read and tokenised here. `tells`: this
/// rank says what it found. `goes_on` is called again and again while it takes long.
OpenedData open_data(
    const jobs::JobSpec& job, bool tells, const std::function<void()>& goes_on = [] {});

}  // namespace trireme::cli
