#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "cli/commands.h"
#include "core/error.h"
#include "jobs/launch/child.h"
#include "jobs/launch/launcher.h"

namespace trireme::cli {
namespace {

struct Words {
  jobs::LaunchOptions options;
  int ranks = 0;
  std::string with = "auto", time_limit, run_folder;
  std::vector<std::string> program;
};

/// A word that names one of our own commands stands for this program; anything else must be a file that can
/// be run.
std::vector<std::string> program_of(std::vector<std::string> words, const Command& app) {
  if (words.empty())
    fail(ExitCode::usage,
         "trireme launch has nothing to start: write the program and its arguments after --");
  if (app.subcommand_called(words.front()) && words.front() != "launch") {
    words.insert(words.begin(), std::filesystem::read_symlink("/proc/self/exe").string());
    return words;
  }
  if (jobs::find_program(words.front()).empty()) {
    fail(ExitCode::usage,
         "'{}' is neither a program that can be run nor a command of trireme; write the program and its "
         "arguments after --",
         words.front());
  }
  return words;
}

jobs::LaunchOptions checked(const Words& words, const Command& app) {
  jobs::LaunchOptions options = words.options;
  if (words.ranks != 0) options.ranks = words.ranks;
  if (!words.time_limit.empty()) options.time_limit_ms = jobs::parse_duration_ms(words.time_limit);
  options.run_folder = words.run_folder;
  options.with = words.with == "mpirun" ? jobs::LaunchOptions::With::mpirun
                 : words.with == "srun" ? jobs::LaunchOptions::With::srun
                                        : jobs::LaunchOptions::With::automatic;
  options.program = program_of(words.program, app);
  return options;
}

}  // namespace

void add_launch(Command app) {
  Command command = app.subcommand("launch",
                                   "Start ranks with mpirun or srun; the exit code says what to do "
                                   "next: 75 run again, 124 a rank hung, 70 a fault of the program");
  const auto words = std::make_shared<Words>();
  command.option("-n,--ranks", words->ranks, "Number of ranks").within(1, 1 << 20);
  command.option("--hostfile", words->options.hostfile, "Hosts and their slots, as mpirun reads them")
      .existing_file();
  command.option("--host", words->options.hosts, "Hosts, with commas between");
  command.option("--run-folder", words->run_folder, "Where status.json and log/rank-N.log go");
  command.option("--time-limit", words->time_limit,
                 "How long a collective may take before the run ends as hung: 30s, 10m (default 10m)");
  command.option("--with", words->with, "auto: srun inside a Slurm allocation, mpirun elsewhere")
      .one_of({"auto", "mpirun", "srun"});
  command.option("--mpirun", words->options.mpirun, "The mpirun to use").shows_default();
  command.option("--bind-to", words->options.binding, "What a rank is bound to")
      .one_of({"none", "core", "numa", "socket"})
      .shows_default();
  command.flag("--oversubscribe", words->options.oversubscribe,
               "More ranks than slots; on this host alone it is done without being asked");
  command.option("program", words->program, "What every rank runs, with its arguments").takes_the_rest();
  command.footer(
      "Example: trireme launch -n 2 bench comm\n         trireme launch -n 4 --run-folder runs/a "
      "--time-limit 5m -- ./my_program --steps 10");
  command.runs([app, words] { return jobs::launch(checked(*words, app)); });
}

void mark_launched_program(const Command& app, std::vector<std::string>& words) {
  if (words.empty() || words.front() != "launch") return;
  const Command command = app.subcommand_called("launch").value();
  auto word = words.begin() + 1;
  while (word != words.end() && word->size() > 1 && word->front() == '-' && *word != "--") {
    const auto equals = word->find('=');
    const std::optional<Option> option = command.option_called(word->substr(0, equals));
    const bool takes_next = option && equals == std::string::npos && option->takes_value();
    word += takes_next && word + 1 != words.end() ? 2 : 1;
  }
  if (word != words.end() && *word != "--") words.insert(word, "--");
}

}  // namespace trireme::cli
