#include "cli/batch_shape.h"

namespace trireme::cli {
namespace {

std::int64_t parts_of(std::int64_t whole, std::int64_t part) {
  return (whole + part - 1) / part;
}

}  // namespace

int micro_batches_of(const jobs::JobSpec& job, std::int64_t ranks) {
  if (job.train_batch_size == 0) return static_cast<int>(job.gradient_accumulation_steps);
  return static_cast<int>(parts_of(job.train_batch_size, job.micro_batch_size * ranks));
}

std::int64_t rows_of_a_rank(const jobs::JobSpec& job, std::int64_t ranks) {
  if (job.train_batch_size == 0) return job.micro_batch_size * job.gradient_accumulation_steps;
  return parts_of(job.train_batch_size, ranks);
}

std::int64_t rows_of_a_step(const jobs::JobSpec& job, std::int64_t ranks) {
  return job.train_batch_size == 0 ? rows_of_a_rank(job, ranks) * ranks : job.train_batch_size;
}

train::BatchShape shape_of(const jobs::JobSpec& job, const comm::World& world) {
  return {world.rank(), world.size(), job.micro_batch_size, micro_batches_of(job, world.size()),
          rows_of_a_step(job, world.size())};
}

}  // namespace trireme::cli
