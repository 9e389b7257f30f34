#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/memory_record.h"
#include "cli/memory_watch.h"
#include "cli/model_pace.h"
#include "cli/open_data.h"
#include "cli/progress.h"
#include "cli/run_folder.h"
#include "cli/traced_step.h"
#include "cli/watch.h"
#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/watched_world.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"
#include "io/run_lock.h"
#include "jobs/write_job.h"
#include "sharding/tensor_memory.h"
#include "train/checkpoints.h"
#include "train/stop_request.h"
#include "train/trainer.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

train::TrainerSettings settings_of(const jobs::JobSpec& job, std::int64_t steps_per_epoch) {
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
  return settings;
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
  settings.asynchronous = job.checkpoint.asynchronous && !on_drives;
  settings.about = {{"ranks", world.size()},
                    {"placement", job.placement.preset},
                    {"program", TRIREME_VERSION},
                    {"job", jobs::to_yaml(job)}};
  return settings;
}

int train_on(comm::World& world, Watch& watch, const jobs::JobSpec& job, const OpenedData& data,
             const TraceWords& trace) {
  const bool first = world.rank() == 0;
  LoadedModel model(job, world, watch);
  sharding::Engine& engine = model.engine();

  const train::BatchShape shape = shape_of(job, world);
  const train::TrainerSettings settings = settings_of(job, data.training.steps_per_epoch(shape));
  train::Trainer trainer(engine, data.training, shape, settings);
  train::Checkpoints checkpoints(fs::path(job.output_dir) / "checkpoints", engine,
                                 checkpoint_settings(job, world));
  watch.slow_phase("restore");
  const std::optional<train::TrainerState> resumed = checkpoints.load();
  if (resumed) trainer.restore(*resumed);
  std::optional<RunFolder> folder;
  if (first) {
    for (const std::string& note : job.notes) log::info("{}", note);
    if (shape.micro_batches != job.gradient_accumulation_steps)
      log::info("train_batch_size: {} rows make {} micro-batches of each of {} ranks", shape.rows_per_step,
                shape.micro_batches, shape.ranks);
    for (const std::string& note : model.spec().notes) log::info("{}", note);
    const sharding::MemoryUse memory = engine.memory();
    log::info("{} ranks, placement {}, {}: {} of state and {} of slots on each rank; {} steps of {} rows",
              world.size(), job.placement.preset, name_of(model.compute()),
              human_bytes(static_cast<double>(memory.states)),
              human_bytes(static_cast<double>(memory.parameter_slots + memory.gradient_slots)),
              settings.total_steps, shape.rows_per_step);
    if (memory.tiers.host > 0 || memory.tiers.nvme > 0)
      log::info("beyond the device, on each rank: {} of host memory ({}), {} on NVMe{}",
                human_bytes(static_cast<double>(memory.tiers.host)),
                memory.tiers.locked ? "locked" : "pageable",
                human_bytes(static_cast<double>(memory.tiers.nvme)),
                engine.pipe() ? fmt::format(" by {}", engine.pipe()->engine().backend()) : "");
    if (resumed) log::info("goes on after step {}, from the checkpoint of it", trainer.state().step);
    folder.emplace(job, world, trainer.state().step, settings.total_steps);
    write_memory_record(job, model, world, shape);
  }
  const ModelPace pace = measure_pace(job, model, shape);
  Progress progress(settings.total_steps, job.logging_steps);
  const train::StopRequest stop;
  bool stopped = false;
  train::SaveFacts facts;
  double losses = 0;
  std::int64_t losses_since = trainer.state().step;
  const auto save = [&] {
    const train::TrainerState state = trainer.state();
    if (losses_since == state.step) return;
    facts.loss = losses / static_cast<double>(state.step - losses_since);
    facts.samples = state.step * shape.rows_per_step;
    facts.epoch = static_cast<double>(state.step) / static_cast<double>(data.training.steps_per_epoch(shape));
    losses = 0, losses_since = state.step;
    watch.slow_phase("save");
    checkpoints.save(state, facts);
  };
  const auto finish_saving = [&] {
    watch.slow_phase("save");
    checkpoints.finish();
    if (first) folder->saved(checkpoints);
    if (checkpoints.saved_step() != trainer.state().step && checkpoints.last_failure())
      throw Error(*checkpoints.last_failure());
  };
  std::optional<TracedStep> traced;
  if (!trace.file.empty()) traced.emplace(trace, job, model, world, shape);
  watch.phase("train");
  try {
    if (traced) traced->between_steps();
    trainer.run([&](train::StepMetrics metrics) {
      if (traced) traced->between_steps();
      const bool last = metrics.step == settings.total_steps;
      if (data.validation && (last || (job.eval_steps > 0 && metrics.step % job.eval_steps == 0))) {
        watch.slow_phase("evaluate");
        metrics.eval_loss = trainer.evaluate(*data.validation, data.validation->steps_per_epoch(shape));
        if (first)
          progress.say(fmt::format("step {}/{}  loss {:.6f} of what is held back", metrics.step,
                                   settings.total_steps, *metrics.eval_loss));
      }
      losses += metrics.loss;
      checkpoints.advance();
      if (first) {
        folder->saved(checkpoints);
        folder->after(metrics);
        progress.after(metrics, pace.mfu(metrics));
      }
      stopped = !last && stop.agreed(engine.control());
      if (stopped || (job.save_steps > 0 && metrics.step % job.save_steps == 0)) save();
      watch.phase("train");
      return !stopped;
    });
    progress.close();
    save();
    finish_saving();
  } catch (const std::exception& error) {
    if (first && !watch) folder->end("failed", error.what());
    throw;
  }
  if (first)
    folder->end(stopped ? "stopped" : "done",
                stopped ? "a signal asked for it; start the job again to go on" : "");
  return static_cast<int>(stopped ? ExitCode::requeue : ExitCode::done);
}

struct Words {
  JobWords job;
  TraceWords trace;
};

int train_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  log::configure(fmt::format("rank {}", world.rank()), log::Level::info);
  const jobs::JobSpec job = load(words.job);
  keep_log(job.output_dir, world.rank());
  share_cores(world);
  sharding::keep_tensor_memory();
  std::optional<io::RunLock> lock;
  if (world.rank() == 0) lock.emplace(job.output_dir, fmt::format("{} ranks", world.size()));
  const OpenedData data = open_data(job, world.rank() == 0);
  const MemoryWatch memory_watch(job.output_dir, world.rank());
  Watch watch(job, world);
  if (!watch) return train_on(world, watch, job, data, words.trace);
  comm::WatchedWorld watched(world, *watch);
  return (*watch).guard([&] { return train_on(watched, watch, job, data, words.trace); });
}

}  // namespace

void add_train(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand("train", "Fine-tune or train a model as a job file says");
  auto words = std::make_shared<Words>();
  add_job_words(*command, words->job);
  command->add_option("--trace", words->trace.file,
                      "Record one step of every rank: Chrome's trace format here, a picture beside it");
  command->add_option("--trace-step", words->trace.step, "Which step, counted from the run's first")
      ->check(CLI::Range(1, 1 << 30));
  command->add_option("--machine", words->trace.machine, "Figures to foretell with, from `bench machine`");
  command->footer("Example: mpirun -n 2 trireme train job.yaml placement=zero3");
  command->callback([&chosen, words] { chosen = [words] { return train_job(*words); }; });
}

}  // namespace trireme::cli
