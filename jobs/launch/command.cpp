#include "jobs/launch/command.h"

#include <charconv>
#include <cmath>

#include "core/error.h"

namespace trireme::jobs {
namespace {

using Environment = std::vector<std::pair<std::string, std::string>>;

LaunchCommand mpirun_command(const LaunchOptions& options, const LaunchFacts& facts,
                             const Environment& environment) {
  LaunchCommand command{{options.mpirun}, environment};
  auto& arguments = command.arguments;
  const auto add = [&](const auto&... words) { (arguments.emplace_back(words), ...); };
  if (options.ranks) add("-n", std::to_string(*options.ranks));
  if (!options.hostfile.empty()) add("--hostfile", options.hostfile);
  if (!options.hosts.empty()) add("--host", options.hosts);
  const bool here_alone = options.hostfile.empty() && options.hosts.empty() && !facts.in_slurm_allocation;
  if (options.oversubscribe || (here_alone && options.ranks.value_or(1) > facts.cores)) {
    if (facts.open_mpi_major >= 5) {
      add("--map-by", ":OVERSUBSCRIBE");
    } else {
      add("--oversubscribe");
    }
  }
  add("--bind-to", options.binding);
  for (const auto& [name, value] : environment) add("-x", name);
  if (facts.root) {
    for (const char* launcher : {"OMPI", "PRTE"}) {
      command.environment.emplace_back(std::string(launcher) + "_ALLOW_RUN_AS_ROOT", "1");
      command.environment.emplace_back(std::string(launcher) + "_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
  }
  return command;
}

LaunchCommand srun_command(const LaunchOptions& options, const Environment& environment) {
  LaunchCommand command{{"srun", "--mpi=pmix", "--kill-on-bad-exit=1"}, environment};
  if (options.ranks) command.arguments.push_back(fmt::format("--ntasks={}", *options.ranks));
  if (!options.hosts.empty()) command.arguments.push_back("--nodelist=" + options.hosts);
  if (options.oversubscribe) command.arguments.push_back("--overcommit");
  const std::string binding = options.binding == "core"     ? "cores"
                              : options.binding == "socket" ? "sockets"
                                                            : options.binding;
  command.arguments.push_back("--cpu-bind=" + (binding == "numa" ? "ldoms" : binding));
  return command;
}

}  // namespace

LaunchOptions::With choose(const LaunchOptions& options, const LaunchFacts& facts) {
  using With = LaunchOptions::With;
  if (options.with == With::srun) {
    if (!facts.has_srun)
      fail(ExitCode::usage, "there is no srun on this machine; leave --with srun out to use mpirun");
    if (!options.hostfile.empty())
      fail(ExitCode::usage,
           "srun takes its hosts from the allocation; leave --hostfile out or use --with mpirun");
    return With::srun;
  }
  if (options.with == With::mpirun) return With::mpirun;
  return facts.in_slurm_allocation && facts.has_srun && options.hostfile.empty() ? With::srun : With::mpirun;
}

LaunchCommand command_for(const LaunchOptions& options, const LaunchFacts& facts,
                          const Environment& environment) {
  LaunchCommand command = choose(options, facts) == LaunchOptions::With::srun
                              ? srun_command(options, environment)
                              : mpirun_command(options, facts, environment);
  command.arguments.insert(command.arguments.end(), options.program.begin(), options.program.end());
  return command;
}

int open_mpi_major(const std::string& version_output) {
  const std::string marker = "(Open MPI) ";
  const auto found = version_output.find(marker);
  int major = 0;
  if (found != std::string::npos) {
    const char* digits = version_output.data() + found + marker.size();
    std::from_chars(digits, version_output.data() + version_output.size(), major);
  }
  if (major < 4) {
    fail(
        ExitCode::configuration,
        "mpirun says '{}' of itself; trireme launch needs that of Open MPI 4 or newer: name it with --mpirun",
        version_output.substr(0, version_output.find('\n')));
  }
  return major;
}

long long parse_duration_ms(const std::string& text) {
  double number = 0;
  const auto [rest, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string unit(rest, text.data() + text.size());
  const double factor = unit.empty() || unit == "s"    ? 1e3
                        : unit == "ms"                 ? 1
                        : unit == "m" || unit == "min" ? 60e3
                        : unit == "h"                  ? 3600e3
                                                       : 0;
  if (problem != std::errc() || factor == 0 || !(number > 0) || number * factor > 1e12 || number * factor < 1)
    fail(ExitCode::usage, "'{}' is not a duration; write 30, 30s, 10m or 1.5h", text);
  return std::llround(number * factor);
}

}  // namespace trireme::jobs
