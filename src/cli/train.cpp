#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/Context.h>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/evaluations.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/memory_record.h"
#include "cli/memory_watch.h"
#include "cli/model_pace.h"
#include "cli/open_data.h"
#include "cli/plan.h"
#include "cli/progress.h"
#include "cli/recorded_step.h"
#include "cli/run_folder.h"
#include "cli/traced_step.h"
#include "cli/train_settings.h"
#include "cli/watch.h"
#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/watched_world.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"
#include "io/run_lock.h"
#include "jobs/placement_keys.h"
#include "sharding/paging.h"
#include "sharding/tensor_memory.h"
#include "train/checkpoints.h"
#include "train/early_stop.h"
#include "train/stop_request.h"
#include "train/trainer.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

/// Said once, by the first rank.
void introduce(const jobs::JobSpec& job, const comm::World& world, LoadedModel& model,
               const train::BatchShape& shape, std::int64_t total_steps) {
  sharding::Engine& engine = model.engine();
  for (const std::string& note : job.notes) log::info("{}", note);
  if (shape.micro_batches != job.gradient_accumulation_steps)
    log::info("train_batch_size: {} rows make {} micro-batches of each of {} ranks", shape.rows_per_step,
              shape.micro_batches, shape.ranks);
  for (const std::string& note : model.spec().notes) log::info("{}", note);
  const sharding::MemoryUse memory = engine.memory();
  log::info("{} ranks, placement {}, {}: {} of state and {} of slots on each rank; {} steps of {} rows",
            world.size(), job.placement.preset, name_of(model.compute()),
            human_bytes(static_cast<double>(memory.states)),
            human_bytes(static_cast<double>(memory.parameter_slots + memory.gradient_slots)), total_steps,
            shape.rows_per_step);
  if (jobs::placement_of(job, model.compute()).device_state_bytes) {
    std::uint64_t device = 0, host = 0;
    for (const auto& place : state_places(engine.blueprint(), states_of(job)))
      (place.tier == sharding::Tier::device ? device : host) += place.bytes;
    log::info("optimizer state: {} stay on the device, {} are on the host",
              human_bytes(static_cast<double>(device)), human_bytes(static_cast<double>(host)));
  }
  if (memory.tiers.host > 0 || memory.tiers.nvme > 0)
    log::info("beyond the device, on each rank: {} of host memory ({}), {} on NVMe{}",
              human_bytes(static_cast<double>(memory.tiers.host)),
              memory.tiers.locked ? "locked" : "pageable",
              human_bytes(static_cast<double>(memory.tiers.nvme)),
              engine.pipe() ? fmt::format(" by {}", engine.pipe()->engine().backend()) : "");
}

void say_host_memory(const sharding::Engine& engine) {
  const sharding::TierUse use = engine.memory().tiers;
  const auto words = [](std::size_t bytes) { return human_bytes(static_cast<double>(bytes)); };
  if (use.pool.reserved.most == 0) return;
  log::info("host pool: {} asked for at most ({} for units' inputs), {} given, {} taken; {:.1f} % unused",
            words(use.pool.asked.most), words(use.inputs), words(use.pool.given.most),
            words(use.pool.reserved.most), 100 * use.pool.fragmentation());
}

/// Saves, and what a save is told beside the state.
class Saver {
 public:
  Saver(train::Checkpoints& checkpoints, Watch& watch, const train::BatchShape& shape,
        std::int64_t steps_per_epoch, std::int64_t step)
      : checkpoints_(checkpoints),
        watch_(watch),
        shape_(shape),
        steps_per_epoch_(steps_per_epoch),
        saved_(step) {}

  void note(double loss) { losses_ += std::isfinite(loss) ? loss : 0; }
  /// `score`: of the evaluation after this step, where there was one.
  void save(const train::TrainerState& state, std::optional<double> score, const std::string& measure) {
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
  void finish(std::int64_t last_step) {
    watch_.slow_phase("save");
    checkpoints_.finish();
    if (checkpoints_.saved_step() != last_step && checkpoints_.last_failure())
      throw Error(*checkpoints_.last_failure());
  }

 private:
  train::Checkpoints& checkpoints_;
  Watch& watch_;
  train::BatchShape shape_;
  std::int64_t steps_per_epoch_, saved_;
  double losses_ = 0;
};

enum class End : std::uint8_t { done, early, asked };

int train_on(comm::World& world, Watch& watch, const jobs::JobSpec& job, const OpenedData& data,
             const TraceWords& trace) {
  const bool first = world.rank() == 0;
  LoadedModel model(job, world, watch);
  sharding::Engine& engine = model.engine();
  const train::BatchShape shape = shape_of(job, world);
  const std::int64_t steps_per_epoch = data.training.steps_per_epoch(shape);
  const train::TrainerSettings settings = trainer_settings(job, steps_per_epoch);
  const std::int64_t evaluate_each = steps_between(job.eval_steps, job.evals_per_epoch, steps_per_epoch),
                     save_each = steps_between(job.save_steps, job.saves_per_epoch, steps_per_epoch);
  train::Trainer trainer(engine, data.training, shape, settings);
  train::Checkpoints checkpoints(fs::path(job.output_dir) / "checkpoints", engine,
                                 checkpoint_settings(job, world));
  Evaluations evaluations(job, data, model, trainer);
  train::EarlyStop early(job.early_stopping_patience, job.early_stopping_threshold);
  watch.slow_phase("restore");
  const std::optional<train::TrainerState> resumed = checkpoints.load();
  if (resumed) trainer.restore(*resumed), early.restore(resumed->evaluations);
  std::optional<RunFolder> folder;
  if (first) {
    introduce(job, world, model, shape, settings.total_steps);
    if (resumed) log::info("goes on after step {}, from the checkpoint of it", trainer.state().step);
    folder.emplace(job, world, trainer.state().step, settings.total_steps);
    write_memory_record(job, model, world, shape);
  }
  const ModelPace pace = measure_pace(job, model, shape);
  const train::StopRequest stop;
  Progress progress(settings.total_steps, job.logging_steps);
  Saver saver(checkpoints, watch, shape, steps_per_epoch, trainer.state().step);
  const auto state = [&] {
    train::TrainerState now = trainer.state();
    now.evaluations = early.state();
    return now;
  };
  std::optional<TracedStep> traced;
  std::optional<RecordedStep> recorded;
  if (!trace.file.empty())
    traced.emplace(trace, job, model, world, shape);
  else
    recorded.emplace(job, model, world, shape, pace, settings.total_steps - trainer.state().step);
  const auto between_steps = [&] {
    if (traced) traced->between_steps();
    if (recorded) recorded->between_steps();
  };
  End end = early.wants_stop() ? End::early : End::done;
  watch.phase("train");
  const auto after_step = [&](train::StepMetrics metrics) {
    between_steps();
    const bool last = metrics.step == settings.total_steps;
    std::optional<double> score;
    bool best = false;
    if (evaluations.any() && (last || (evaluate_each > 0 && metrics.step % evaluate_each == 0))) {
      watch.slow_phase("evaluate");
      metrics.evaluations = evaluations.run();
      metrics.eval_loss = metrics.evaluations.front().loss;
      score = evaluations.score(metrics.evaluations);
      best = early.note(*score);
    }
    saver.note(metrics.loss);
    checkpoints.advance();
    metrics.mfu = pace.mfu(metrics);
    if (first) {
      folder->saved(checkpoints);
      folder->after(metrics);
      if (!metrics.trouble.empty()) {
        progress.close();
        log::warning("{}; nothing was updated", metrics.trouble);
      }
      for (const train::Evaluation& evaluation : metrics.evaluations)
        progress.say(fmt::format("step {}/{}  {}", metrics.step, settings.total_steps, words_of(evaluation)));
      if (best) progress.say(fmt::format("the best so far by {}", evaluations.measure()));
      progress.after(metrics);
    }
    if (!last && stop.agreed(engine.control())) {
      end = End::asked;
    } else if (!last && score && early.wants_stop()) {
      end = End::early;
    }
    if (end != End::done || (best && job.checkpoint.keep_best) ||
        (save_each > 0 && metrics.step % save_each == 0))
      saver.save(state(), score, evaluations.measure());
    watch.phase("train");
    if (last) saver.save(state(), score, evaluations.measure());
    return end == End::done;
  };
  try {
    between_steps();
    if (end == End::done) trainer.run(after_step);
    saver.finish(trainer.state().step);
    if (first) folder->saved(checkpoints);
  } catch (const std::exception& error) {
    if (first && !watch) folder->end("failed", error.what());
    throw;
  }
  if (!first) return static_cast<int>(end == End::asked ? ExitCode::requeue : ExitCode::done);
  progress.close();
  say_host_memory(engine);
  // What steps allocate themselves is there now.
  write_memory_record(job, model, world, shape);
  if (end == End::early)
    log::info("ended early after step {}: {} evaluations in a row were no better", trainer.state().step,
              early.state().without_improvement);
  folder->end(end == End::asked ? "stopped" : "done",
              end == End::asked   ? "a signal asked for it; start the job again to go on"
              : end == End::early ? "ended early: the evaluations got no better"
                                  : "");
  return static_cast<int>(end == End::asked ? ExitCode::requeue : ExitCode::done);
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
  if (job.deterministic) {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  std::optional<io::RunLock> lock;
  if (world.rank() == 0) lock.emplace(job.output_dir, fmt::format("{} ranks", world.size()));
  const MemoryWatch memory_watch(job.output_dir, world.rank());
  Watch watch(job, world);
  const auto work = [&](comm::World& ranks) {
    // Text is tokenised before there is a communicator whose others could run out of patience.
    // Ranks that are ready wait in the next phase, and the one that hangs here is to run out of time first.
    const auto prepares = [&] { watch.slow_phase("prepare", 5); };
    prepares();
    const OpenedData data = open_data(job, ranks.rank() == 0, prepares);
    return train_on(ranks, watch, job, data, words.trace);
  };
  if (!watch) return work(world);
  comm::WatchedWorld watched(world, *watch);
  return (*watch).guard([&] { return work(watched); });
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
