#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/compute_settings.h"
#include "cli/evaluations.h"
#include "cli/job_words.h"
#include "cli/loaded_model.h"
#include "cli/memory_record.h"
#include "cli/memory_watch.h"
#include "cli/model_pace.h"
#include "cli/open_data.h"
#include "cli/recorded_step.h"
#include "cli/run_folder.h"
#include "cli/run_teller.h"
#include "cli/saver.h"
#include "cli/traced_step.h"
#include "cli/train_settings.h"
#include "cli/watch.h"
#include "core/code_pages.h"
#include "core/error.h"
#include "core/log.h"
#include "io/run_lock.h"
#include "train/checkpoints.h"
#include "train/early_stop.h"
#include "train/stop_request.h"
#include "train/trainer.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

int train_on(const Worlds& worlds, Watch& watch, const jobs::JobSpec& job, const OpenedData& data,
             const TraceWords& trace) {
  comm::World& world = worlds.hosts;
  LoadedModel model(job, worlds, watch);
  sharding::Engine& engine = model.engine();
  const train::BatchShape shape = shape_of(job, world);
  const std::int64_t steps_per_epoch = data.training.steps_per_epoch(shape);
  const train::TrainerSettings settings = trainer_settings(job, steps_per_epoch);
  const std::int64_t steps = settings.total_steps;
  const std::int64_t evaluate_each = steps_between(job.eval_steps, job.evals_per_epoch, steps_per_epoch),
                     save_each = steps_between(job.save_steps, job.saves_per_epoch, steps_per_epoch);
  train::Trainer trainer(engine, data.training, shape, settings);
  train::Checkpoints checkpoints(fs::path(job.output_dir) / "checkpoints", engine,
                                 checkpoint_settings(job, world));
  Evaluations evaluations(job, data, model, trainer);
  train::EarlyStop early(job.early_stopping_patience, job.early_stopping_threshold);
  watch.slow_phase("restore");
  if (const std::optional<train::TrainerState> resumed = checkpoints.load())
    trainer.restore(*resumed), early.restore(resumed->evaluations);
  const std::int64_t done_before = trainer.state().step;
  std::optional<RunTeller> teller;
  if (world.rank() == 0) {
    teller.emplace(job, world, model, checkpoints, shape, done_before, steps);
    write_memory_record(job, model, world);
  }
  const ModelPace pace = measure_pace(job, model, shape);
  const train::StopRequest stop;
  Saver saver(checkpoints, watch, shape, steps_per_epoch, done_before);
  const auto save = [&](std::optional<double> score) {
    train::TrainerState now = trainer.state();
    now.evaluations = early.state();
    saver.save(now, score, evaluations.measure());
  };
  std::optional<TracedStep> traced;
  std::optional<RecordedStep> recorded;
  if (!trace.file.empty())
    traced.emplace(trace, job, model, world, shape);
  else
    recorded.emplace(job, model, world, shape, pace, trace.machine, steps - done_before);
  const auto between_steps = [&] {
    if (traced) traced->between_steps();
    if (recorded) recorded->between_steps();
  };
  let_go_of_code_pages();
  RunEnd end = early.wants_stop() ? RunEnd::early : RunEnd::done;
  watch.phase("train");
  const auto after_step = [&](train::StepMetrics metrics) {
    between_steps();
    const auto falls_on = [&](std::int64_t each) { return each > 0 && metrics.step % each == 0; };
    const bool last = metrics.step == steps;
    std::optional<double> score;
    bool best = false;
    if (evaluations.any() && (last || falls_on(evaluate_each))) {
      watch.slow_phase("evaluate");
      metrics.evaluations = evaluations.run();
      metrics.eval_loss = metrics.evaluations.front().loss;
      score = evaluations.score(metrics.evaluations);
      best = early.note(*score);
    }
    saver.note(metrics.loss);
    metrics.mfu = pace.mfu(metrics);
    if (teller) teller->after(metrics, best ? evaluations.measure() : "");
    if (!last && stop.agreed(engine.control())) {
      end = RunEnd::asked;
    } else if (!last && score && early.wants_stop()) {
      end = RunEnd::early;
    }
    const bool ends = last || end != RunEnd::done;
    if (ends || (best && job.checkpoint.keep_best) || falls_on(save_each)) save(score);
    watch.phase("train");
    return end == RunEnd::done;
  };
  try {
    between_steps();
    if (end == RunEnd::done) trainer.run(after_step);
    saver.finish(trainer.state().step);
    if (teller) teller->saved();
  } catch (const std::exception& error) {
    if (teller && !watch) teller->failed(error.what());
    throw;
  }
  if (teller) {
    // What steps allocate themselves is there now.
    write_memory_record(job, model, world);
    teller->ended(end, trainer.state().step, early.state().without_improvement);
  }
  return static_cast<int>(end == RunEnd::asked ? ExitCode::requeue : ExitCode::done);
}

struct Words {
  JobWords job;
  TraceWords trace;
};

int train_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure(fmt::format("rank {}", runtime.rank()), log::Level::info);
  const jobs::JobSpec job = load(words.job);
  Ranks ranks(runtime, job);
  const int rank = runtime.rank();
  keep_log(job.output_dir, rank);
  prepare_to_compute(job, ranks);
  if (job.deterministic) repeat_to_the_bit();
  std::optional<io::RunLock> lock;
  if (rank == 0) lock.emplace(job.output_dir, fmt::format("{} ranks", runtime.size()));
  const MemoryWatch memory_watch(job.output_dir, rank);
  Watch watch(job, ranks.hosts());
  return watch.over(ranks, [&](const Worlds& worlds) {
    // Text is tokenised before there is a communicator whose others could run out of patience.
    // Ranks that are ready wait in the next phase, and the one that hangs here is to run out of time first.
    const auto prepares = [&] { watch.slow_phase("prepare", 5); };
    prepares();
    const OpenedData data = open_data(job, rank == 0, prepares);
    return train_on(worlds, watch, job, data, words.trace);
  });
}

}  // namespace

void add_train(Command app) {
  Command command = app.subcommand("train", "Fine-tune or train a model as a job file says");
  auto words = std::make_shared<Words>();
  add_job_words(command, words->job);
  command.option("--trace", words->trace.file,
                 "Record one step of every rank: Chrome's trace format here, a picture beside it");
  command.option("--trace-step", words->trace.step, "Which step, counted from the run's first")
      .within(1, 1 << 30);
  command.option("--machine", words->trace.machine, "Figures to foretell with, from `bench machine`");
  command.footer("Example: mpirun -n 2 trireme train job.yaml placement=zero3");
  command.runs([words] { return train_job(*words); });
}

}  // namespace trireme::cli
