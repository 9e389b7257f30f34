#include "cli/train_settings.h"

#include "jobs/write_job.h"

namespace trireme::cli {

train::TrainerSettings trainer_settings(const jobs::JobSpec& job, std::int64_t steps_per_epoch) {
  train::TrainerSettings settings;
  settings.total_steps = job.max_steps > 0 ? job.max_steps : job.num_epochs * steps_per_epoch;
  settings.rate.shape = optim::rate_shape_from_name(job.lr_scheduler);
  settings.rate.peak = job.learning_rate;
  settings.rate.least = job.cosine_min_lr_ratio * job.learning_rate;
  settings.rate.total_steps = settings.total_steps;
  settings.rate.warmup_steps = job.warmup_ratio > 0
                                   ? optim::warmup_steps_of(job.warmup_ratio, settings.total_steps)
                                   : job.warmup_steps;
  if (job.max_grad_norm > 0) settings.max_norm = job.max_grad_norm;
  if (job.fp16)
    settings.loss_scale = {static_cast<int>(job.loss_scale.initial_power), job.loss_scale.window,
                           static_cast<int>(job.loss_scale.hysteresis), job.loss_scale.minimum};
  settings.guard.policy = optim::failure_policy_from_name(job.on_non_finite);
  settings.guard.most_in_a_row = job.non_finite_limit;
  if (job.on_loss_spike != "ignore") {
    settings.spikes.factor = job.loss_spike_factor;
    settings.spikes.guard = settings.guard;
    settings.spikes.guard.policy = optim::failure_policy_from_name(job.on_loss_spike);
  }
  return settings;
}

std::int64_t steps_between(std::int64_t steps, std::int64_t times_per_epoch, std::int64_t steps_per_epoch) {
  if (times_per_epoch == 0) return steps;
  return (steps_per_epoch + times_per_epoch - 1) / times_per_epoch;
}

bool saves_while_training(const jobs::JobSpec& job) {
  const bool before_the_end = job.save_steps > 0 || job.saves_per_epoch > 0 || job.checkpoint.keep_best;
  return job.checkpoint.asynchronous && before_the_end;
}

train::CheckpointSettings checkpoint_settings(const jobs::JobSpec& job, const comm::World& world) {
  train::CheckpointSettings settings;
  settings.keep.last = static_cast<int>(job.save_total_limit);
  settings.keep.every = job.checkpoint.keep_every;
  settings.keep.best = job.checkpoint.keep_best;
  settings.reread = job.checkpoint.reread == "whole" ? io::Reread::whole : io::Reread::sampled;
  // A copy in memory of state that is on drives is what its placement is there to avoid.
  const bool on_drives =
      jobs::placement_of(job, sharding::Codec::fp32).optimizer.tier == sharding::Tier::nvme;
  settings.asynchronous = saves_while_training(job) && !on_drives;
  settings.about = {{"ranks", world.size()},
                    {"placement", job.placement.preset},
                    {"program", TRIREME_VERSION},
                    {"job", jobs::to_yaml(job)}};
  return settings;
}

}  // namespace trireme::cli
