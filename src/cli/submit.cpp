#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/job_words.h"
#include "cli/run_folder.h"
#include "cli/submit_plan.h"
#include "core/error.h"
#include "jobs/write_job.h"
#include "slurm/queue.h"
#include "slurm/sbatch.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

/// Options that are short for a key of the section `slurm:`.
struct Shortcut {
  const char *option, *key, *about;
};
constexpr std::array shortcuts{
    Shortcut{"--nodes", "nodes", "Nodes"},
    Shortcut{"--ranks-per-node", "ranks_per_node", "Ranks on each node"},
    Shortcut{"--gpus-per-node", "gpus_per_node", "GPUs on each node"},
    Shortcut{"--gpu", "gpu", "The kind of GPU that the plan counts with"},
    Shortcut{"--cpus-per-rank", "cpus_per_rank", "Cores of each rank"},
    Shortcut{"--mem", "memory_per_node", "Host memory of each node, as sbatch reads it"},
    Shortcut{"--time", "time_limit", "Time limit, as sbatch reads it"},
    Shortcut{"--name", "name", "The job's name"},
    Shortcut{"--partition", "partition", "As for sbatch"},
    Shortcut{"--account", "account", "As for sbatch"},
    Shortcut{"--qos", "qos", "As for sbatch"},
    Shortcut{"--reservation", "reservation", "As for sbatch"},
    Shortcut{"--constraint", "constraint", "As for sbatch"},
    Shortcut{"--dependency", "dependency", "As for sbatch: afterok:4711"},
    Shortcut{"--exclude", "exclude", "Nodes to stay away from"},
    Shortcut{"--container", "container", "An Apptainer image to run in"},
    Shortcut{"--scratch", "scratch", "A folder on each node's own disk"},
    Shortcut{"--binding", "binding", "What a rank is bound to: none, cores, ldoms, sockets"},
    Shortcut{"--max-requeues", "max_requeues", "Times the job may be requeued"},
};

struct Words {
  JobWords job;
  std::array<std::string, shortcuts.size()> given;
  bool dry_run = false, without_plan = false;
};

jobs::JobSpec read(Words words) {
  for (std::size_t i = 0; i < shortcuts.size(); ++i)
    if (!words.given[i].empty())
      words.job.overrides.push_back(assignment(std::string("slurm.") + shortcuts[i].key, words.given[i]));
  return load(words.job);
}

std::optional<int> unless_zero(std::int64_t value) {
  return value == 0 ? std::nullopt : std::optional<int>(static_cast<int>(value));
}

/// The files of this machine that a job names, each once.
std::vector<std::string> paths_of(const jobs::JobSpec& job) {
  std::vector<std::string> named{job.base_model, job.lora_model_dir, job.dataset_prepared_path}, paths;
  for (const auto* sets : {&job.datasets, &job.test_datasets})
    for (const jobs::DataSet& set : *sets) named.push_back(set.path);
  for (const std::string& name : named) {
    std::error_code unseen;
    if (name.empty() || !fs::exists(name, unseen)) continue;
    const fs::path path = fs::absolute(name).lexically_normal();
    if (std::find(paths.begin(), paths.end(), path) != paths.end()) continue;
    paths.push_back(path.string());
  }
  return paths;
}

slurm::BatchJob batch_of(const jobs::JobSpec& job) {
  const jobs::SlurmChoice& wish = job.slurm;
  slurm::BatchJob batch;
  batch.name = wish.name;
  batch.nodes = static_cast<int>(wish.nodes), batch.ranks_per_node = static_cast<int>(wish.ranks_per_node);
  batch.gpus_per_node = unless_zero(wish.gpus_per_node),
  batch.cpus_per_rank = unless_zero(wish.cpus_per_rank);
  batch.memory_per_node = wish.memory_per_node, batch.time_limit = wish.time_limit;
  batch.partition = wish.partition, batch.account = wish.account, batch.qos = wish.qos;
  batch.reservation = wish.reservation, batch.constraint = wish.constraint;
  batch.dependency = wish.dependency, batch.exclude = wish.exclude;
  batch.container = wish.container, batch.scratch = wish.scratch, batch.binding = wish.binding;
  batch.warning = std::chrono::seconds(wish.warning_seconds);
  batch.fruitless_runs = static_cast<int>(wish.fruitless_runs);
  batch.max_requeues = static_cast<int>(wish.max_requeues);
  batch.requeue = wish.requeue;
  batch.run_folder = fs::absolute(job.output_dir).lexically_normal().string();
  std::string program = fs::read_symlink("/proc/self/exe").string();
  if (!wish.container.empty()) {
    batch.shown_in_container = paths_of(job);
    if (wish.container_program.empty())
      batch.shown_in_container.push_back(fs::path(program).parent_path().parent_path().string());
    else
      program = wish.container_program;
  }
  batch.command = {program, "train", batch.run_folder + "/submitted.yaml"};
  if (wish.check_nodes) {
    batch.health_command = {program, "doctor", "--health", batch.run_folder};
    if (wish.gpus_per_node > 0) {
      batch.health_command.emplace_back("--gpus");
      batch.health_command.push_back(std::to_string(wish.gpus_per_node));
    }
  }
  if (wish.find_network) batch.settings_command = {program, "doctor", "--settings"};
  return batch;
}

/// What was submitted stays as it is while the job waits, whatever becomes of the files it was read from.
void keep(const jobs::JobSpec& job, const std::string& script, const fs::path& run_folder) {
  make_run_folder(run_folder);
  const std::pair<const char*, std::string> files[]{{"submitted.yaml", jobs::to_yaml_with_origins(job)},
                                                    {"submitted.sh", script}};
  for (const auto& [name, text] : files)
    if (!(std::ofstream(run_folder / name) << text << std::flush))
      fail(ExitCode::configuration, "{} cannot be written", (run_folder / name).string());
}

int submit_job(const Words& words) {
  jobs::JobSpec job = read(words);  // every mistake is found here, not after a night in the queue
  if (!words.without_plan) foretell(job);
  const slurm::BatchJob batch = batch_of(job);
  job.output_dir = batch.run_folder;
  const std::string script = slurm::render(batch);
  if (words.dry_run) {
    fmt::print("{}", script);
    return 0;
  }
  keep(job, script, batch.run_folder);
  for (const std::string& note : job.notes) fmt::print(stderr, "note: {}\n", note);
  fmt::print("{}\n", slurm::submit(script));
  return 0;
}

void add_for_job(Command app, const char* name, const char* about, int (*work)(const std::string&)) {
  Command command = app.subcommand(name, about);
  auto id = std::make_shared<std::string>();
  command.option("job", *id, "The id that trireme submit printed").required();
  command.footer(fmt::format("Example: trireme {} 4711", name));
  command.runs([id, work] { return work(*id); });
}

}  // namespace

void add_submit(Command app) {
  Command command = app.subcommand(
      "submit", "Hand a job file to Slurm; the job saves before its time ends, requeues itself and goes on");
  auto words = std::make_shared<Words>();
  add_job_words(command, words->job);
  for (std::size_t i = 0; i < shortcuts.size(); ++i)
    command.option(shortcuts[i].option, words->given[i],
                   fmt::format("{} (slurm.{})", shortcuts[i].about, shortcuts[i].key));
  command.flag("--dry-run", words->dry_run, "Print the batch file instead");
  command.flag("--without-plan", words->without_plan, "Submit also what trireme plan says does not fit");
  command.footer(
      "Example: trireme submit job.yaml --nodes 4 --ranks-per-node 8 --gpus-per-node 8 --time 24:00:00");
  command.runs([words] { return submit_job(*words); });

  add_for_job(app, "cancel", "End a job", [](const std::string& id) { return slurm::cancel(id), 0; });
  add_for_job(app, "requeue", "Stop a job and put it back into the queue",
              [](const std::string& id) { return slurm::requeue(id), 0; });
}

}  // namespace trireme::cli
