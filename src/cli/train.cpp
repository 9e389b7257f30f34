#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <sched.h>

#include "cli/commands.h"
#include "cli/lora.h"
#include "cli/open_data.h"
#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/environment.h"
#include "comm/watchdog/watched_world.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/log.h"
#include "jobs/read_job.h"
#include "jobs/write_job.h"
#include "model/build.h"
#include "model/pretrained.h"
#include "optim/adamw.h"
#include "optim/sgd.h"
#include "train/adapter_folder.h"
#include "train/checkpoints.h"
#include "train/stop_request.h"
#include "train/trainer.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string file;
  std::vector<std::string> overrides;
};

/// Ranks of a node share its cores, unless the user says how many threads each has.
void share_cores(const comm::World& world) {
  if (std::getenv("OMP_NUM_THREADS")) return;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
  const auto& nodes = world.node_of_rank();
  const int mine = nodes[static_cast<std::size_t>(world.rank())];
  const auto beside = static_cast<int>(std::count(nodes.begin(), nodes.end(), mine));
  at::set_num_threads(std::max(1, CPU_COUNT(&allowed) / beside));
}

sharding::Codec compute_type(const jobs::JobSpec& job) {
  const bool wanted = job.bf16 == "true" || (job.bf16 == "auto" && __builtin_cpu_supports("avx512bf16"));
  return wanted ? sharding::Codec::bf16 : sharding::Codec::fp32;
}

std::unique_ptr<const sharding::Optimizer> optimizer_of(const jobs::JobSpec& job) {
  if (job.optimizer == "sgd") {
    optim::SgdSettings settings;
    settings.weight_decay = optim::decay_all(job.weight_decay);
    return std::make_unique<optim::Sgd>(settings);
  }
  optim::AdamWSettings settings;
  settings.beta1 = job.adam_beta1, settings.beta2 = job.adam_beta2, settings.epsilon = job.adam_epsilon;
  settings.weight_decay = optim::decay_all(job.weight_decay);
  return std::make_unique<optim::AdamW>(settings);
}

train::BatchShape shape_of(const jobs::JobSpec& job, const comm::World& world) {
  train::BatchShape shape{world.rank(), world.size(), job.micro_batch_size,
                          static_cast<int>(job.gradient_accumulation_steps), 0};
  shape.rows_per_step = shape.micro_batch_size * shape.micro_batches * shape.ranks;
  return shape;
}

train::TrainerSettings settings_of(const jobs::JobSpec& job, std::int64_t steps_per_epoch) {
  train::TrainerSettings settings;
  settings.total_steps = job.max_steps > 0 ? job.max_steps : job.num_epochs * steps_per_epoch;
  settings.rate.shape = optim::rate_shape_from_name(job.lr_scheduler);
  settings.rate.peak = job.learning_rate;
  settings.rate.total_steps = settings.total_steps;
  settings.rate.warmup_steps = job.warmup_ratio > 0
                                   ? optim::warmup_steps_of(job.warmup_ratio, settings.total_steps)
                                   : job.warmup_steps;
  if (job.max_grad_norm > 0) settings.max_norm = job.max_grad_norm;
  return settings;
}

/// What rank 0 writes into the run folder.
class RunFolder {
 public:
  RunFolder(const jobs::JobSpec& job, std::int64_t steps_done, std::int64_t total_steps)
      : folder_(job.output_dir) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "job.yaml") << jobs::to_yaml(job);
    metrics_.emplace(folder_ / "metrics.jsonl", steps_done);
    status_.step = steps_done, status_.total_steps = total_steps;
    train::write_status(folder_ / "status.json", status_);
  }
  void after(const train::StepMetrics& metrics) {
    metrics_->write(metrics);
    status_.step = metrics.step, status_.loss = metrics.loss;
    train::write_status(folder_ / "status.json", status_);
  }
  void end(const char* state, const std::string& message) {
    status_.state = state, status_.message = message;
    train::write_status(folder_ / "status.json", status_);
  }

 private:
  fs::path folder_;
  std::optional<train::MetricsFile> metrics_;
  train::RunStatus status_;
};

/// Ends the run when a rank dies, hangs or fails; a rank alone needs no watching.
class Watch {
 public:
  Watch(const jobs::JobSpec& job, const comm::World& world) {
    if (world.size() == 1 || job.hang_time_limit == 0) return;
    comm::WatchdogOptions options = comm::WatchdogOptions::from_environment();
    if (!std::getenv(comm::time_limit_variable))
      options.time_limit = std::chrono::seconds(job.hang_time_limit);
    if (options.run_folder.empty()) options.run_folder = job.output_dir;
    watchdog_.emplace(world, options);
  }
  explicit operator bool() const { return watchdog_.has_value(); }
  comm::Watchdog& operator*() { return *watchdog_; }
  /// Files are read and written here, so others may have to wait longer than for a collective.
  void slow_phase(std::string_view name) {
    constexpr int patience = 6;
    if (watchdog_) watchdog_->phase(name, watchdog_->options().time_limit * patience);
  }
  void phase(std::string_view name) {
    if (watchdog_) watchdog_->phase(name);
  }

 private:
  std::optional<comm::Watchdog> watchdog_;
};

int train_on(comm::World& world, Watch& watch, const jobs::JobSpec& job, const train::BatchSource& data) {
  const bool first = world.rank() == 0;
  const sharding::Codec compute = compute_type(job);
  watch.slow_phase("open the model");
  const model::Pretrained pretrained(job.base_model);
  sharding::EngineOptions options;
  options.prefetch_depth = static_cast<int>(job.schedule.prefetch_depth);
  options.reduce_depth = static_cast<int>(job.schedule.reduce_depth);
  options.unit_major = job.schedule.order == "unit_major";
  const std::optional<model::LoraSettings> lora = lora_of(job);
  std::optional<train::AdapterFolder> adapter;
  if (!job.lora_model_dir.empty()) adapter.emplace(job.lora_model_dir, pretrained.spec(), *lora);
  sharding::Engine engine(
      model::build_model(pretrained.spec(), compute == sharding::Codec::bf16 ? at::kBFloat16 : at::kFloat,
                         lora),
      jobs::placement_of(job, compute), optimizer_of(job), world, options);
  watch.slow_phase("load");
  engine.load([&](const sharding::Parameter& parameter, std::int64_t begin, std::span<float> into) {
    if (model::is_lora_a(parameter.name) || model::is_lora_b(parameter.name)) {
      if (adapter) return adapter->read(parameter, begin, into);
      return model::initial_lora(parameter, static_cast<std::uint64_t>(job.seed), begin, into);
    }
    pretrained.read(parameter.name, static_cast<std::uint64_t>(begin), DType::f32,
                    std::as_writable_bytes(into));
  });

  const train::BatchShape shape = shape_of(job, world);
  const train::TrainerSettings settings = settings_of(job, data.steps_per_epoch(shape));
  train::Trainer trainer(engine, data, shape, settings);
  train::Checkpoints checkpoints(fs::path(job.output_dir) / "checkpoints", engine,
                                 static_cast<int>(job.save_total_limit));
  watch.slow_phase("restore");
  const std::optional<train::TrainerState> resumed = checkpoints.load();
  if (resumed) trainer.restore(*resumed);
  std::optional<RunFolder> folder;
  if (first) {
    for (const std::string& note : job.notes) log::info("{}", note);
    for (const std::string& note : pretrained.spec().notes) log::info("{}", note);
    const sharding::MemoryUse memory = engine.memory();
    log::info("{} ranks, placement {}, {}: {} of state and {} of slots on each rank; {} steps of {} rows",
              world.size(), job.placement.preset, name_of(compute),
              human_bytes(static_cast<double>(memory.states)),
              human_bytes(static_cast<double>(memory.parameter_slots + memory.gradient_slots)),
              settings.total_steps, shape.rows_per_step);
    if (resumed) log::info("goes on after step {}, from the checkpoint of it", trainer.state().step);
    folder.emplace(job, trainer.state().step, settings.total_steps);
  }
  const train::StopRequest stop;
  bool stopped = false;
  std::int64_t saved = trainer.state().step;
  const auto save = [&] {
    if (saved == trainer.state().step) return;
    watch.slow_phase("save");
    checkpoints.save(trainer.state());
    saved = trainer.state().step;
  };
  watch.phase("train");
  try {
    trainer.run([&](const train::StepMetrics& metrics) {
      if (first) {
        folder->after(metrics);
        if (metrics.step % job.logging_steps == 0 || metrics.step == settings.total_steps)
          fmt::print("step {}/{}  loss {:.6f}  norm {:.4f}  rate {:.3g}  {:.0f} tokens/s\n", metrics.step,
                     settings.total_steps, metrics.loss, metrics.grad_norm, metrics.learning_rate,
                     metrics.tokens_per_s);
      }
      stopped = metrics.step < settings.total_steps && stop.agreed(engine.control());
      if (stopped || (job.save_steps > 0 && metrics.step % job.save_steps == 0)) save();
      watch.phase("train");
      return !stopped;
    });
    save();
  } catch (const std::exception& error) {
    if (first && !watch) folder->end("failed", error.what());
    throw;
  }
  if (first)
    folder->end(stopped ? "stopped" : "done",
                stopped ? "a signal asked for it; start the job again to go on" : "");
  return static_cast<int>(stopped ? ExitCode::requeue : ExitCode::done);
}

int train_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  log::configure(fmt::format("rank {}", world.rank()), log::Level::info);
  const jobs::JobSpec job = jobs::load_job(words.file, words.overrides);
  share_cores(world);
  const train::RowBatches data = open_data(job, world.rank() == 0);
  Watch watch(job, world);
  if (!watch) return train_on(world, watch, job, data);
  comm::WatchedWorld watched(world, *watch);
  return (*watch).guard([&] { return train_on(watched, watch, job, data); });
}

}  // namespace

void add_train(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand("train", "Fine-tune or train a model as a job file says");
  auto words = std::make_shared<Words>();
  command->add_option("job.yaml", words->file, "The job file")->required();
  command->add_option("key=value", words->overrides, "Changes to it: learning_rate=2e-4 placement=zero3");
  command->footer("Example: mpirun -n 2 trireme train job.yaml placement=zero3");
  command->callback([&chosen, words] { chosen = [words] { return train_job(*words); }; });
}

}  // namespace trireme::cli
