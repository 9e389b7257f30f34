#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iomanip>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <signal.h>
#include <unistd.h>

#include "comm/mpi/mpi_world.h"
#include "comm/watchdog/watchdog.h"
#include "core/error.h"

// Makes one collective a step on 'world' (its sequence number is the step) and one on 'pair', and goes wrong
// where it is told to.
namespace {

using namespace trireme;
using namespace trireme::comm;

struct Plan {
  std::string fault = "none", backend = "mpi";
  int rank = 1, at = 10, steps = 100000, nodes = 0, pause_us = 1000;
};

Plan parse(int argc, char** argv) {
  Plan plan;
  CLI::App app("makes collectives in a loop and goes wrong on purpose");
  app.add_option("--fault", plan.fault)
      ->check(CLI::IsMember({"none", "kill", "kill-node", "stop", "hang", "phase", "mismatch", "count",
                             "throw", "exit", "segv"}));
  app.add_option("--rank", plan.rank);
  app.add_option("--at", plan.at);
  app.add_option("--steps", plan.steps);
  app.add_option("--nodes", plan.nodes, "count the ranks of this host as so many nodes");
  app.add_option("--backend", plan.backend);
  app.add_option("--pause-us", plan.pause_us);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 64);
  }
  return plan;
}

/// The campaign counts from here.
void note_the_time(const WatchdogOptions& options) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  if (!options.run_folder.empty())
    std::ofstream(options.run_folder / "fault_at")
        << std::setprecision(15) << std::chrono::duration<double>(now).count() << std::flush;
}

/// The processes of one rank's node, its own last.
class NodeMates {
 public:
  NodeMates(Communicator& world, const std::vector<int>& node_of_rank)
      : processes_(static_cast<std::size_t>(world.size())),
        node_of_rank_(node_of_rank),
        rank_(static_cast<std::size_t>(world.rank())) {
    const std::int32_t own = getpid();
    world.all_gather(&own, processes_.data(), Shards::even(1, world.size()), DType::i32);
  }
  [[noreturn]] void lose() const {
    // The others of the node get the time to leave what they have in common with this rank.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    for (std::size_t other = 0; other < processes_.size(); ++other)
      if (node_of_rank_[other] == node_of_rank_[rank_] && other != rank_) ::kill(processes_[other], SIGKILL);
    lose_daemon();
    raise(SIGKILL);
    std::abort();
  }

 private:
  /// A host that fails takes Open MPI's daemon with it.
  static void lose_daemon() {
    std::string name;
    std::getline(std::ifstream(fmt::format("/proc/{}/comm", getppid())), name);
    if (name == "orted") ::kill(getppid(), SIGKILL);
  }

  std::vector<std::int32_t> processes_;
  const std::vector<int>& node_of_rank_;
  std::size_t rank_;
};

void go_wrong(const Plan& plan, Watchdog& watchdog, Communicator& world, const NodeMates& mates) {
  note_the_time(watchdog.options());
  if (plan.fault == "kill") raise(SIGKILL);
  if (plan.fault == "kill-node") mates.lose();
  if (plan.fault == "stop") raise(SIGSTOP);
  if (plan.fault == "segv") raise(SIGSEGV);
  if (plan.fault == "exit") _exit(3);
  if (plan.fault == "throw") fail(ExitCode::damaged, "sample 17 of the dataset cannot be read");
  if (plan.fault == "mismatch") world.barrier();
  if (plan.fault == "count") {
    std::vector<float> values(65);
    world.all_reduce(values.data(), values.data(), values.size(), DType::f32, Reduction::sum);
  }
  if (plan.fault == "phase") watchdog.phase("forward layer 3", std::chrono::milliseconds(1000));
  if (plan.fault == "hang" || plan.fault == "phase") {
    for (volatile bool forever = true; forever;) continue;
  }
}

void run(const Plan& plan, World& world, Watchdog& watchdog, const std::vector<int>& node_of_rank) {
  Group everyone, pair;
  everyone.ranks.resize(static_cast<std::size_t>(world.size()));
  std::iota(everyone.ranks.begin(), everyone.ranks.end(), 0);
  const int first_of_pair = world.rank() / 2 * 2;
  for (int rank = first_of_pair; rank < std::min(first_of_pair + 2, world.size()); ++rank)
    pair.ranks.push_back(rank);
  const auto whole = world.communicator(everyone, plan.backend, watchdog.watched({.name = "world"}));
  const auto two = world.communicator(pair, plan.backend, watchdog.watched({.name = "pair"}));

  const NodeMates mates(*world.communicator(everyone, plan.backend, {}), node_of_rank);

  std::vector<float> values(64), gathered(64 * static_cast<std::size_t>(world.size()));
  for (int step = 0; step < plan.steps; ++step) {
    watchdog.phase(fmt::format("step {}", step));
    const Event paired = two->post(
        Call::all_gather(values.data(), gathered.data(), Shards::even(16, two->size()), DType::f32));
    paired.wait();
    if (step == plan.at && world.rank() == plan.rank) go_wrong(plan, watchdog, *whole, mates);
    if (step % 2 == 0) {
      whole->all_reduce(values.data(), values.data(), values.size(), DType::f32, Reduction::max);
    } else {
      whole->all_gather(values.data(), gathered.data(), Shards::even(64, world.size()), DType::f32);
    }
    if (plan.pause_us > 0) std::this_thread::sleep_for(std::chrono::microseconds(plan.pause_us));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Plan plan = parse(argc, argv);
  // TERM does not end a training either, which saves first: mpirun follows it with KILL.
  signal(SIGTERM, SIG_IGN);
  const MpiRuntime runtime(&argc, &argv);
  try {
    MpiWorld world(runtime);
    WatchdogOptions options = WatchdogOptions::from_environment();
    if (plan.nodes > 0)
      for (int rank = 0; rank < world.size(); ++rank)
        options.node_of_rank.push_back(rank * plan.nodes / world.size());
    const std::vector<int> node_of_rank =
        options.node_of_rank.empty() ? world.node_of_rank() : options.node_of_rank;
    Watchdog watchdog(world, options);
    watchdog.guard([&] { run(plan, world, watchdog, node_of_rank); });
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "rank %d: %s\n", runtime.rank(), error.what());
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(error.code()));
  }
}
