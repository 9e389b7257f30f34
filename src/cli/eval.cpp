#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/loaded_model.h"
#include "cli/open_data.h"
#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/watched_world.h"
#include "core/log.h"
#include "jobs/read_job.h"
#include "sharding/tensor_memory.h"
#include "train/checkpoints.h"
#include "train/trainer.h"

namespace trireme::cli {
namespace {

struct Words {
  std::string file;
  std::vector<std::string> overrides;
  std::int64_t steps = 0;
  bool base = false, json = false;
};

int eval_on(comm::World& world, Watch& watch, const jobs::JobSpec& job, const train::BatchSource& data,
            const Words& words) {
  LoadedModel model(job, world, watch);
  train::TrainerSettings settings;
  settings.total_steps = 1;
  train::Trainer trainer(model.engine(), data, shape_of(job, world), settings);
  std::int64_t trained = 0;
  if (!words.base) {
    train::Checkpoints checkpoints(std::filesystem::path(job.output_dir) / "checkpoints", model.engine(), {});
    watch.slow_phase("restore");
    if (const auto state = checkpoints.load()) trained = state->step;
  }
  watch.phase("evaluate");
  const std::int64_t all = data.steps_per_epoch(trainer.shape());
  const std::int64_t steps = words.steps > 0 ? std::min(words.steps, all) : all;
  const double loss = trainer.evaluate(data, steps);
  if (world.rank() != 0) return 0;
  if (words.json) {
    fmt::print(R"({{"trained_steps": {}, "batches": {}, "loss": {:.9g}, "perplexity": {:.9g}}})"
               "\n",
               trained, steps, loss, std::exp(loss));
  } else {
    fmt::print("{}: loss {:.6f}, perplexity {:.4f} over {} batches of {} rows\n",
               trained > 0 ? fmt::format("after step {}", trained) : "the base model", loss, std::exp(loss),
               steps, trainer.shape().rows_per_step);
  }
  return 0;
}

int eval_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  comm::MpiWorld world(runtime);
  log::configure(fmt::format("rank {}", world.rank()), log::Level::info);
  jobs::JobSpec job = jobs::load_job(words.file, words.overrides);
  job.shuffle_merged_datasets = false;
  share_cores(world);
  sharding::keep_tensor_memory();
  const OpenedData opened = open_data(job, world.rank() == 0);
  // What was held back from training, where anything was.
  const train::RowBatches& data = opened.validation ? *opened.validation : opened.training;
  Watch watch(job, world);
  if (!watch) return eval_on(world, watch, job, data, words);
  comm::WatchedWorld watched(world, *watch);
  return (*watch).guard([&] { return eval_on(watched, watch, job, data, words); });
}

}  // namespace

void add_eval(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand("eval", "Loss and perplexity of a job's model on its datasets");
  auto words = std::make_shared<Words>();
  command->add_option("job.yaml", words->file, "The job file")->required();
  command->add_option("key=value", words->overrides,
                      "Changes to it: datasets=[{path: held-out.jsonl, type: alpaca}]");
  command->add_option("--steps", words->steps, "No more batches than this; 0: all")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--base", words->base, "The base model, even where the run has a checkpoint");
  command->add_flag("--json", words->json, "One JSON object");
  command->footer(
      "Example: mpirun -n 2 trireme eval job.yaml 'datasets=[{path: held-out.jsonl, type: alpaca}]'");
  command->callback([&chosen, words] { chosen = [words] { return eval_job(*words); }; });
}

}  // namespace trireme::cli
