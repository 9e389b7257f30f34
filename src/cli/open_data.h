#pragma once
#include "jobs/job_spec.h"
#include "train/row_batches.h"

namespace trireme::cli {

/// The rows that a job trains on; text is read and tokenised here. `tells`: this rank says what it found.
train::RowBatches open_data(const jobs::JobSpec& job, bool tells);

}  // namespace trireme::cli
