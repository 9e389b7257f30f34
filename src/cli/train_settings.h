#pragma once
#include <cstdint>

#include "comm/communicator.h"
#include "jobs/job_spec.h"
#include "train/checkpoints.h"
#include "train/trainer.h"

namespace trireme::cli {

/// What a job says of the loop over steps, and of its checkpoints.
train::TrainerSettings trainer_settings(const jobs::JobSpec& job, std::int64_t steps_per_epoch);
/// How often something happens that is asked for each so many steps, or so often in an epoch; 0: never.
std::int64_t steps_between(std::int64_t steps, std::int64_t times_per_epoch, std::int64_t steps_per_epoch);
/// Whether checkpoints are written beside training, not only at its end.
bool saves_while_training(const jobs::JobSpec& job);
train::CheckpointSettings checkpoint_settings(const jobs::JobSpec& job, const comm::World& world);

}  // namespace trireme::cli
