#pragma once
#include <cstdint>

#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "train/batches.h"

namespace trireme::cli {

/// Of a step of each rank: what the job says, or as many as its train_batch_size takes.
int micro_batches_of(const jobs::JobSpec& job, std::int64_t ranks);
/// What a rank computes in a step at most, the rows that fill up the last micro-batches left out.
std::int64_t rows_of_a_rank(const jobs::JobSpec& job, std::int64_t ranks);
/// Of all ranks, those that are scored.
std::int64_t rows_of_a_step(const jobs::JobSpec& job, std::int64_t ranks);
/// How a job's rows are dealt to the ranks.
train::BatchShape shape_of(const jobs::JobSpec& job, const comm::World& world);

}  // namespace trireme::cli
