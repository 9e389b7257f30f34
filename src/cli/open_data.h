#pragma once
#include <optional>

#include "jobs/job_spec.h"
#include "train/row_batches.h"

namespace trireme::cli {

struct OpenedData {
  train::RowBatches training;
  /// What val_set_size holds back, in an order that stays.
  std::optional<train::RowBatches> validation;
};

/// The rows that a job trains on and those it is evaluated on; text is read and tokenised here. `tells`: this
/// rank says what it found.
OpenedData open_data(const jobs::JobSpec& job, bool tells);

}  // namespace trireme::cli
