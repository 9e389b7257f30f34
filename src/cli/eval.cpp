#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/compute_settings.h"
#include "cli/evaluations.h"
#include "cli/loaded_model.h"
#include "cli/open_data.h"
#include "core/log.h"
#include "jobs/read_job.h"
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

int eval_on(const Worlds& worlds, Watch& watch, const jobs::JobSpec& job, const OpenedData& data,
            const Words& words) {
  comm::World& world = worlds.hosts;
  LoadedModel model(job, worlds, watch);
  train::TrainerSettings settings;
  settings.total_steps = 1;
  train::Trainer trainer(model.engine(), data.training, shape_of(job, world), settings);
  std::int64_t trained = 0;
  if (!words.base) {
    train::Checkpoints checkpoints(std::filesystem::path(job.output_dir) / "checkpoints", model.engine(),
                                   {.asynchronous = false});
    watch.slow_phase("restore");
    if (const auto state = checkpoints.load()) trained = state->step;
  }
  watch.slow_phase("evaluate");
  const auto found = Evaluations(job, data, model, trainer).run(words.steps);
  if (world.rank() != 0) return 0;
  for (const train::Evaluation& one : found) {
    if (words.json) {
      std::string answers;
      if (one.exact_match)
        answers = fmt::format(R"(, "exact_match": {:.9g}, "rouge_l": {:.9g})", *one.exact_match,
                              one.rouge_l.value_or(0));
      fmt::print(
          R"({{"trained_steps": {}, "set": "{}", "loss": {:.9g}, "perplexity": {:.9g}, "token_accuracy": {:.9g}{}}})"
          "\n",
          trained, one.set, one.loss, train::perplexity_of(one), one.token_accuracy, answers);
    } else {
      fmt::print("{}: {}\n", trained > 0 ? fmt::format("after step {}", trained) : "the base model",
                 words_of(one));
    }
  }
  return 0;
}

int eval_job(const Words& words) {
  const comm::MpiRuntime runtime(nullptr, nullptr);
  log::configure(fmt::format("rank {}", runtime.rank()), log::Level::info);
  jobs::JobSpec job = jobs::load_job(words.file, words.overrides);
  job.shuffle_merged_datasets = false;
  // Nothing is updated.
  job.offload.parts_in_memory = 1;
  // Where nothing was held back from training, and no sets are named, the datasets themselves are meant.
  if (job.val_set_size == 0 && job.test_datasets.empty()) job.test_datasets = job.datasets;
  Ranks ranks(runtime, job);
  prepare_to_compute(job, ranks);
  Watch watch(job, ranks.hosts());
  return watch.over(ranks, [&](const Worlds& worlds) {
    // Ranks that are ready wait in the next phase, and the one that hangs here is to run out of time first.
    const auto prepares = [&] { watch.slow_phase("prepare", 5); };
    prepares();
    return eval_on(worlds, watch, job, open_data(job, runtime.rank() == 0, prepares), words);
  });
}

}  // namespace

void add_eval(Command app) {
  Command command = app.subcommand(
      "eval", "Loss, perplexity and accuracy of a job's model on its evaluation sets, or its datasets");
  auto words = std::make_shared<Words>();
  command.option("job.yaml", words->file, "The job file").required();
  command.option("key=value", words->overrides,
                 "Changes to it: datasets=[{path: held-out.jsonl, type: alpaca}]");
  command.option("--steps", words->steps, "No more batches than this; 0: all").not_negative();
  command.flag("--base", words->base, "The base model, even where the run has a checkpoint");
  command.flag("--json", words->json, "One JSON object");
  command.footer(
      "Example: mpirun -n 2 trireme eval job.yaml 'datasets=[{path: held-out.jsonl, type: alpaca}]'");
  command.runs([words] { return eval_job(*words); });
}

}  // namespace trireme::cli
