#include <filesystem>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/run_words.h"
#include "slurm/queue.h"
#include "train/report/screen.h"

namespace trireme::cli {
namespace {

/// The line of Slurm is the first where there is a job.
int show(const std::string& word) {
  std::filesystem::path folder;
  if (is_slurm_job(word)) {
    const slurm::JobState job = slurm::find_job(word);
    fmt::print("job {} ({}): {}, reason {}, on {}, for {}, restarted {} times\n", job.id, job.name, job.state,
               job.reason, job.nodes.empty() ? "no node" : job.nodes, job.elapsed, job.restarts);
    folder = job.run_folder;
    if (folder.empty() || !std::filesystem::exists(folder / "status.json")) return 0;
  } else {
    folder = run_folder_of(word);
  }
  const train::RunRecord run = train::read_run(folder);
  fmt::print("{}\n", train::summary(run));
  for (const train::RunEvent& event : run.events)
    fmt::print("  {} at step {}: {}\n", event.kind, event.step, event.text);
  return 0;
}

}  // namespace

void add_status(Command app) {
  Command command = app.subcommand("status", "Tell where a run stands, in Slurm and in its steps");
  auto word = std::make_shared<std::string>();
  command.option("run", *word, "A run folder, a job file, or the id that trireme submit printed").required();
  command.footer("Example: trireme status 4711\n         trireme status runs/squad");
  command.runs([word] { return show(*word); });
}

}  // namespace trireme::cli
