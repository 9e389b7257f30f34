#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "core/error.h"
#include "jobs/read_job.h"
#include "slurm/queue.h"
#include "slurm/sbatch.h"

namespace trireme::cli {
namespace {

namespace fs = std::filesystem;

struct Words {
  std::string file;
  std::vector<std::string> overrides;
  slurm::BatchJob batch;
  int gpus = 0, cores = 0;
  bool dry_run = false;
};

int submit_job(const Words& words) {
  const jobs::JobSpec job = jobs::load_job(
      words.file, words.overrides);  // every mistake in it is found here, not after a night in the queue
  slurm::BatchJob batch = words.batch;
  if (words.gpus > 0) batch.gpus_per_node = words.gpus;
  if (words.cores > 0) batch.cpus_per_rank = words.cores;
  batch.run_folder = fs::absolute(job.output_dir).lexically_normal().string();
  batch.command = {fs::read_symlink("/proc/self/exe").string(), "train", fs::absolute(words.file).string()};
  batch.command.insert(batch.command.end(), words.overrides.begin(), words.overrides.end());
  const std::string script = slurm::render(batch);
  if (words.dry_run) {
    fmt::print("{}", script);
    return 0;
  }
  std::error_code problem;
  fs::create_directories(fs::path(batch.run_folder) / "log", problem);
  if (problem)
    fail(ExitCode::configuration, "output_dir: {} cannot be made: {}", batch.run_folder, problem.message());
  fmt::print("{}\n", slurm::submit(script));
  return 0;
}

int show_status(const std::string& id) {
  const slurm::JobState job = slurm::find_job(id);
  fmt::print("job {} ({}): {}, reason {}, on {}, for {}, restarted {} times\n", job.id, job.name, job.state,
             job.reason, job.nodes.empty() ? "no node" : job.nodes, job.elapsed, job.restarts);
  return 0;
}

void add_for_job(CLI::App& app, Run& chosen, const char* name, const char* about,
                 int (*work)(const std::string&)) {
  CLI::App* command = app.add_subcommand(name, about);
  auto id = std::make_shared<std::string>();
  command->add_option("job", *id, "The id that trireme submit printed")->required();
  command->footer(fmt::format("Example: trireme {} 4711", name));
  command->callback([&chosen, id, work] { chosen = [id, work] { return work(*id); }; });
}

}  // namespace

void add_submit(CLI::App& app, Run& chosen) {
  CLI::App* command = app.add_subcommand(
      "submit", "Hand a job file to Slurm; the job saves before its time ends, requeues itself and goes on");
  auto words = std::make_shared<Words>();
  slurm::BatchJob& batch = words->batch;
  command->add_option("job.yaml", words->file, "The job file")->required();
  command->add_option("key=value", words->overrides, "Changes to it");
  command->add_option("--nodes", batch.nodes, "Nodes")->check(CLI::Range(1, 100000))->capture_default_str();
  command->add_option("--ranks-per-node", batch.ranks_per_node, "Ranks on each node")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--gpus-per-node", words->gpus, "GPUs on each node")->check(CLI::Range(1, 64));
  command->add_option("--cpus-per-rank", words->cores, "Cores of each rank")->check(CLI::Range(1, 4096));
  command->add_option("--mem", batch.memory_per_node, "Host memory of each node, as sbatch reads it");
  command->add_option("--time", batch.time_limit, "Time limit, as sbatch reads it");
  command->add_option("--name", batch.name, "The job's name")->capture_default_str();
  command->add_option("--partition", batch.partition);
  command->add_option("--account", batch.account);
  command->add_option("--qos", batch.qos);
  command->add_option("--reservation", batch.reservation);
  command->add_option("--constraint", batch.constraint);
  command->add_option("--dependency", batch.dependency);
  command->add_option("--exclude", batch.exclude, "Nodes to stay away from");
  command->add_option("--container", batch.container, "An Apptainer image to run in");
  command->add_option("--scratch", batch.scratch, "A folder on each node's own disk");
  command->add_flag("--dry-run", words->dry_run, "Print the batch file instead");
  command->footer(
      "Example: trireme submit job.yaml --nodes 4 --ranks-per-node 8 --gpus-per-node 8 --time 24:00:00");
  command->callback([&chosen, words] { chosen = [words] { return submit_job(*words); }; });

  add_for_job(app, chosen, "status", "Tell where a job stands", show_status);
  add_for_job(app, chosen, "cancel", "End a job", [](const std::string& id) { return slurm::cancel(id), 0; });
  add_for_job(app, chosen, "requeue", "Stop a job and put it back into the queue",
              [](const std::string& id) { return slurm::requeue(id), 0; });
}

}  // namespace trireme::cli
