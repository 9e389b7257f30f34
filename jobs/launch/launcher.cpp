#include "jobs/launch/launcher.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include <fmt/ranges.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/watchdog/environment.h"
#include "core/error.h"
#include "core/log.h"
#include "jobs/launch/child.h"
#include "jobs/launch/descendants.h"
#include "jobs/launch/outcome.h"

namespace trireme::jobs {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

LaunchFacts find_facts(const LaunchOptions& options) {
  LaunchFacts facts;
  facts.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  facts.root = geteuid() == 0;
  facts.in_slurm_allocation = std::getenv("SLURM_JOB_ID") && !std::getenv("SLURM_PROCID");
  facts.has_srun = !find_program("srun").empty();
  if (choose(options, facts) == LaunchOptions::With::srun) return facts;
  if (find_program(options.mpirun).empty())
    fail(ExitCode::configuration,
         "there is no '{}' to start ranks with: install Open MPI, or name its mpirun with --mpirun",
         options.mpirun);
  facts.open_mpi_major = open_mpi_major(output_of({options.mpirun, "--version"}));
  return facts;
}

std::string new_launch_name() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

/// Where the watchdogs' verdict is looked for: the run folder, or a folder of our own that goes with us.
class StatusPlace {
 public:
  explicit StatusPlace(const std::filesystem::path& run_folder) : run_folder_(run_folder) {
    if (!run_folder.empty()) {
      std::error_code problem;
      if (std::filesystem::create_directories(run_folder, problem))
        std::filesystem::permissions(run_folder, std::filesystem::perms::owner_all, problem);
      if (problem)
        fail(ExitCode::usage, "run folder {} cannot be made: {}", run_folder.string(), problem.message());
      run_folder_ = std::filesystem::absolute(run_folder);
      return;
    }
    std::string name = (std::filesystem::temp_directory_path() / "trireme-launch-XXXXXX").string();
    if (!mkdtemp(name.data()))
      fail(ExitCode::configuration, "no folder can be made in {}",
           std::filesystem::temp_directory_path().string());
    own_folder_ = name;
  }
  ~StatusPlace() {
    std::error_code ignored;
    if (!own_folder_.empty()) std::filesystem::remove_all(own_folder_, ignored);
  }
  StatusPlace(const StatusPlace&) = delete;
  StatusPlace& operator=(const StatusPlace&) = delete;

  std::filesystem::path file() const {
    return (run_folder_.empty() ? own_folder_ : run_folder_) / "status.json";
  }
  bool kept() const { return own_folder_.empty(); }
  std::pair<std::string, std::string> variable() const {
    if (kept()) return {comm::run_folder_variable, run_folder_.string()};
    return {comm::status_copy_variable, file().string()};
  }

 private:
  std::filesystem::path run_folder_, own_folder_;
};

/// The signals that are waited for instead of handled; the mask before is what the child gets.
class HeldSignals {
 public:
  HeldSignals() {
    sigemptyset(&held_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD})
      sigaddset(&held_, signal);
    sigprocmask(SIG_BLOCK, &held_, &before_);
  }
  ~HeldSignals() { sigprocmask(SIG_SETMASK, &before_, nullptr); }
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;

  const sigset_t& before() const { return before_; }
  /// Zero when none came in time.
  int wait(std::chrono::milliseconds limit, siginfo_t& info) const {
    const timespec time{limit.count() / 1000, limit.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&held_, &info, &time);
    return signal > 0 ? signal : 0;
  }

 private:
  sigset_t held_, before_;
};

class Supervision {
 public:
  Supervision(int child, const HeldSignals& signals, const StatusPlace& place, std::string launch)
      : child_(child), signals_(signals), place_(place), launch_(std::move(launch)) {}

  LauncherEnd wait() {
    constexpr auto look_every = 200ms;
    while (!end_) {
      siginfo_t info{};
      const int signal = signals_.wait(look_every, info);
      if (signal != 0 && signal != SIGCHLD) pass_on(signal, info);
      collect();
      if (end_) break;
      hurry_after_verdict();
      end_stragglers();
    }
    return *end_;
  }
  std::optional<int> passed_on() const { return passed_on_; }

 private:
  void pass_on(int signal, const siginfo_t& info) {
    const bool first = !passed_on_;
    if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) passed_on_ = signal;
    // mpirun would kill the ranks a second after TERM; they need the time to save what they have. A second
    // TERM is meant for it.
    if (signal == SIGTERM && first) {
      const std::vector<int> ranks = ranks_started_by(child_);
      for (const int rank : ranks) kill(rank, signal);
      if (!ranks.empty()) return;
    }
    // The terminal sends its signals to the whole process group, mpirun included.
    if (info.si_code != SI_KERNEL) kill(child_, signal);
  }
  void collect() {
    for (Ended ended = collect_ended(); ended.process; ended = collect_ended()) {
      if (ended.process != child_) continue;
      end_ = WIFSIGNALED(ended.wait_status) ? LauncherEnd{0, WTERMSIG(ended.wait_status)}
                                            : LauncherEnd{WEXITSTATUS(ended.wait_status), 0};
    }
  }
  /// The ranks end by themselves after a verdict; a launcher that does not notice is helped.
  void hurry_after_verdict() {
    constexpr auto patience = 2500ms, last_patience = 1000ms;
    const auto now = Clock::now();
    if (!verdict_at_) {
      if (comm::read_failure(place_.file(), launch_)) verdict_at_ = now;
    } else if (!asked_ && now - *verdict_at_ > patience) {
      kill(child_, SIGTERM);
      asked_ = true;
    } else if (asked_ && now - *verdict_at_ > patience + last_patience) {
      kill(child_, SIGKILL);
    }
  }

  /// mpirun waits for whoever holds the ranks' output, even when all ranks have ended and what they left
  /// behind does not.
  void end_stragglers() {
    constexpr auto patience = 3000ms;
    const auto now = Clock::now();
    const auto left_behind = adopted(child_);
    if (left_behind.empty() || !descendants(child_).empty()) {
      alone_since_ = now;
    } else if (now - alone_since_ > patience) {
      for (const int process : left_behind) kill(process, SIGKILL);
    }
  }

  int child_;
  const HeldSignals& signals_;
  const StatusPlace& place_;
  std::string launch_;
  std::optional<LauncherEnd> end_;
  std::optional<int> passed_on_;
  std::optional<Clock::time_point> verdict_at_;
  Clock::time_point alone_since_ = Clock::now();
  bool asked_ = false;
};

/// When the launcher of the ranks was killed they notice it themselves and say so, if they get the time.
void let_ranks_end(std::chrono::milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (Clock::now() < deadline && !descendants(getpid()).empty()) {
    while (collect_ended().process) continue;
    std::this_thread::sleep_for(50ms);
  }
}

}  // namespace

int launch(LaunchOptions options) {
  const LaunchFacts facts = find_facts(options);
  const StatusPlace place(options.run_folder);
  const std::string name = new_launch_name();
  std::vector<std::pair<std::string, std::string>> environment{place.variable(),
                                                               {comm::launch_variable, name}};
  if (options.time_limit_ms)
    environment.emplace_back(comm::time_limit_variable, std::to_string(*options.time_limit_ms));
  winsize terminal{};
  if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &terminal) == 0)
    environment.emplace_back(comm::terminal_variable, std::to_string(std::max<int>(terminal.ws_col, 1)));

  const HeldSignals signals;
  adopt_orphans();
  const int child = start(command_for(options, facts, environment), signals.before());
  Supervision supervision(child, signals, place, name);
  const LauncherEnd end = supervision.wait();
  if (end.signal != 0) let_ranks_end(1500ms);
  if (!end_descendants(5s))
    log::warning("processes {} could not be ended", fmt::join(descendants(getpid()), ", "));

  const auto failure = comm::read_failure(place.file(), name);
  const Outcome outcome = outcome_of(end, failure, supervision.passed_on());
  const bool ranks_spoke = !failure && end.signal == 0 && comm::tells_the_end_of(place.file(), name);
  if (outcome.verdict && place.kept() && !ranks_spoke)
    comm::write_status(place.file(), {*outcome.verdict, name});
  if (const comm::Verdict* verdict = outcome.verdict ? &*outcome.verdict
                                     : failure       ? &failure->verdict
                                                     : nullptr)
    log::error("{}; trireme launch ends with {}", verdict->message, outcome.exit_code);
  return outcome.exit_code;
}

}  // namespace trireme::jobs
