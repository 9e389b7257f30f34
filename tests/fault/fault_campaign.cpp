#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/watchdog/net.h"

// Runs the fault program under `trireme launch` again and again, a rank and a step drawn by chance, and
// checks all that was promised.
namespace {

namespace json = boost::json;

struct Settings {
  std::string trireme, program, fault = "kill", backend = "mpi";
  int ranks = 4, times = 1, limit_s = 3, nodes = 0, last_step = 300;
  unsigned seed = std::random_device{}();
};

struct Expectation {
  std::vector<std::string> reasons;
  int code;
};

std::optional<Expectation> expectation_for(const std::string& fault, int ranks_of_node) {
  // Of a node with one process nobody is left to say whether that is stopped or the whole node.
  if (fault == "kill" && ranks_of_node == 1) return Expectation{{"node_lost", "rank_died"}, 75};
  if (fault == "kill") return Expectation{{"rank_died"}, 75};
  // Its ranks go one after the other, so the last may still tell of the first.
  if (fault == "kill-node") return Expectation{{"node_lost", "rank_died"}, 75};
  if (fault == "stop" && ranks_of_node > 1) return Expectation{{"stopped"}, 124};
  if (fault == "hang" || fault == "phase") return Expectation{{"hang"}, 124};
  if (fault == "mismatch" || fault == "count") return Expectation{{"mismatch"}, 70};
  if (fault == "throw") return Expectation{{"error"}, 76};
  if (fault == "segv") return Expectation{{"rank_died"}, 70};
  if (fault == "exit") return Expectation{{"rank_died"}, 3};
  return std::nullopt;
}

std::string read_all(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Ended {
  int code = -1;
  /// By the clock that counts from the machine's start.
  double at = 0;
};

Ended run(const std::vector<std::string>& words, const std::filesystem::path& output) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (!std::freopen(output.c_str(), "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0) _exit(126);
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(arguments.front(), arguments.data());
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          std::chrono::duration<double>(now).count()};
}

/// Living processes that were started by this launch, wherever they hang in the tree.
std::vector<int> orphans_of(const std::string& launch) {
  std::vector<int> found;
  const std::string mark = "TRIREME_LAUNCH=" + launch;
  std::error_code problem;
  for (const auto& folder : std::filesystem::directory_iterator("/proc", problem))
    if (const int process = std::atoi(folder.path().filename().c_str()); process > 0)
      if (read_all(folder.path() / "environ").find(mark) != std::string::npos) found.push_back(process);
  return found;
}

class Trial {
 public:
  Trial(const Settings& settings, int rank, int step, std::filesystem::path folder)
      : settings_(settings), rank_(rank), step_(step), folder_(std::move(folder)) {}

  std::vector<std::string> problems() {
    const Ended ended = run(command(), folder_.string() + ".out");
    seconds_ = ended.at - std::strtod(read_all(folder_ / "fault_at").c_str(), nullptr);
    const Expectation expected = expectation_for(settings_.fault, ranks_of_node()).value();
    json::object status;
    try {
      status = json::parse(read_all(folder_ / "status.json")).as_object();
    } catch (const std::exception& problem) {
      complain("status.json", "a failure", problem.what());
      return problems_;
    }
    const std::string reason(status["reason"].as_string());
    if (std::find(expected.reasons.begin(), expected.reasons.end(), reason) == expected.reasons.end())
      complain("reason", expected.reasons.front(), reason);
    check("exit code", expected.code, ended.code);
    check("exit_code of status.json", expected.code, static_cast<int>(status["exit_code"].as_int64()));
    const int named = static_cast<int>(status["rank"].as_int64());
    const bool node_lost = settings_.fault == "kill-node";
    if (node_lost) {
      check("node of the rank", rank_ / ranks_of_node(), named / ranks_of_node());
    } else {
      check("rank", rank_, named);
    }
    check("node", host_of(rank_), std::string(status["node"].as_string()));
    check("sequence", step_, static_cast<int>(status["sequence"].as_int64()));
    check("communicator", std::string("world"), std::string(status["communicator"].as_string()));
    check("operation", operation(), std::string(status["operation"].as_string()));
    if (seconds_ > settings_.limit_s + 5)
      complain("seconds from the fault to the end", fmt::format("at most {}", settings_.limit_s + 5),
               fmt::format("{:.1f}", seconds_));
    for (int rank = 0; rank < settings_.ranks; ++rank) {
      const auto log = read_all(folder_ / "log" / fmt::format("rank-{}.log", rank));
      const bool may_be_silent =
          node_lost ? rank / ranks_of_node() == rank_ / ranks_of_node()
                    : rank == rank_ && settings_.fault != "hang" && settings_.fault != "mismatch";
      const std::string line = reason == "node_lost"
                                   ? fmt::format("node {} with rank {} is lost", host_of(named), named)
                                   : fmt::format("rank {} on {}", rank_, host_of(rank_));
      if (!may_be_silent && log.find(line) == std::string::npos)
        complain(fmt::format("log of rank {}", rank), "a line with the culprit", log);
    }
    const auto orphans = orphans_of(std::string(status["launch"].as_string()));
    check("processes left", 0, static_cast<int>(orphans.size()));
    return problems_;
  }
  double seconds() const { return seconds_; }

 private:
  std::vector<std::string> command() const {
    return {settings_.trireme,
            "launch",
            "-n",
            std::to_string(settings_.ranks),
            "--run-folder",
            folder_.string(),
            "--time-limit",
            fmt::format("{}s", settings_.limit_s),
            "--",
            settings_.program,
            "--fault",
            settings_.fault,
            "--rank",
            std::to_string(rank_),
            "--at",
            std::to_string(step_),
            "--nodes",
            std::to_string(settings_.nodes),
            "--backend",
            settings_.backend};
  }
  int ranks_of_node() const {
    return settings_.nodes > 0 ? settings_.ranks / settings_.nodes : settings_.ranks;
  }
  std::string host_of(int rank) const {
    const char* hosts = std::getenv("HOST_COUNT");
    return hosts ? fmt::format("host{}", rank * std::atoi(hosts) / settings_.ranks)
                 : trireme::comm::own_host_name();
  }
  std::string operation() const {
    if (settings_.fault == "mismatch") return "barrier";
    if (settings_.fault == "count") return "all_reduce (sum) of 65 f32";
    return step_ % 2 == 0 ? "all_reduce (max) of 64 f32"
                          : fmt::format("all_gather of {} f32", 64 * settings_.ranks);
  }
  void complain(const std::string& what, const std::string& wanted, const std::string& got) {
    problems_.push_back(fmt::format("{}: wanted {}, got {}", what, wanted, got));
  }
  template <typename T>
  void check(const std::string& what, const T& wanted, const T& got) {
    if (wanted != got) problems_.push_back(fmt::format("{}: wanted {}, got {}", what, wanted, got));
  }

  const Settings& settings_;
  int rank_, step_;
  std::filesystem::path folder_;
  std::vector<std::string> problems_;
  double seconds_ = 0;
};

int campaign(const Settings& settings) {
  // The temporary folder of hosts that are namespaces is not one that they share.
  const char* shared = std::getenv("HOSTS_STATE");
  std::string base = (std::filesystem::path(shared ? shared : std::filesystem::temp_directory_path()) /
                      "trireme-fault-XXXXXX")
                         .string();
  if (!mkdtemp(base.data())) return 70;
  std::mt19937 random(settings.seed);
  int good = 0;
  double slowest = 0;
  for (int time = 0; time < settings.times; ++time) {
    const int rank = std::uniform_int_distribution(0, settings.ranks - 1)(random);
    const int step = std::uniform_int_distribution(1, settings.last_step)(random);
    const auto folder = std::filesystem::path(base) / std::to_string(time);
    Trial trial(settings, rank, step, folder);
    const auto problems = trial.problems();
    slowest = std::max(slowest, trial.seconds());
    if (problems.empty()) ++good;
    for (const auto& problem : problems)
      fmt::print("{} on rank {} at step {}: {}\n", settings.fault, rank, step, problem);
    if (!problems.empty())
      fmt::print("{}\n{}\n", read_all(folder / "status.json"), read_all(folder.string() + ".out"));
  }
  fmt::print("{}: {} of {}, slowest end {:.1f} s after the fault, limit {} s, {} ranks, seed {}\n",
             settings.fault, good, settings.times, slowest, settings.limit_s, settings.ranks, settings.seed);
  std::filesystem::remove_all(base);
  return good == settings.times ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("injects faults at random moments and checks how the run ends");
  app.add_option("--trireme", settings.trireme)->required();
  app.add_option("--program", settings.program)->required();
  app.add_option("--fault", settings.fault);
  app.add_option("--backend", settings.backend);
  app.add_option("--ranks", settings.ranks);
  app.add_option("--times", settings.times);
  app.add_option("--limit", settings.limit_s);
  app.add_option("--nodes", settings.nodes, "ranks of this host count as so many nodes");
  app.add_option("--seed", settings.seed);
  CLI11_PARSE(app, argc, argv);
  if (!expectation_for(settings.fault, settings.ranks)) {
    fmt::print(stderr, "there is no expectation for the fault '{}'\n", settings.fault);
    return 64;
  }
  return campaign(settings);
}
