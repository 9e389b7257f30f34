#include <boost/json.hpp>
#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/doctor_health.h"
#include "cli/doctor_report.h"
#include "comm/bootstrap.h"
#include "comm/doctor/clock.h"
#include "comm/doctor/gpu_checks.h"
#include "comm/doctor/machine_checks.h"
#include "comm/doctor/mpi_checks.h"
#include "comm/doctor/topology_text.h"
#include "comm/mpi/gather_texts.h"
#include "comm/network_settings.h"
#include "comm/topology_assemble.h"
#include "core/error.h"
#include "slurm/sbatch.h"

namespace trireme::cli {
namespace {

namespace doctor = comm::doctor;

constexpr const char* footer =
    "Examples:\n"
    "  trireme doctor\n"
    "  mpirun -n 8 --host n0:4,n1:4 trireme doctor\n"
    "  srun -N 2 -n 8 --mpi=pmix trireme doctor --json\n"
    "Ends with 78 when something makes training impossible.";

/// What stands when MPI or the bootstrap refuses: the checks of this machine go on without it.
struct Start {
  std::optional<comm::MpiRuntime> runtime;
  comm::Topology topology;
  std::vector<doctor::Finding> refusals;
};

void start(Start& begun, const comm::Environment& environment) {
  if (const doctor::Finding scratch = doctor::check_scratch(environment);
      scratch.verdict == doctor::Verdict::problem) {
    begun.refusals.push_back(
        doctor::problem("launch", "MPI cannot start without scratch space", scratch.advice));
    begun.topology = comm::assemble({comm::survey(environment)});
    return;
  }
  try {
    begun.runtime.emplace(nullptr, nullptr);
    begun.topology = comm::bootstrap(*begun.runtime);
    return;
  } catch (const Error& error) {
    begun.refusals.push_back(
        doctor::problem("launch", error.what(), "training would stop with this message"));
  }
  begun.topology = comm::assemble({comm::survey(environment)});
}

/// One rank of each node speaks for it.
std::vector<doctor::Finding> check_this_rank(const Start& begun, const comm::Environment& environment) {
  const bool together = begun.refusals.empty();
  const int rank = together ? begun.runtime->rank() : 0;
  const comm::Place& place = begun.topology.place(rank);
  std::vector<doctor::Finding> findings = begun.refusals;
  if (place.local_rank != 0) return findings;
  const auto add = [&findings](const std::vector<doctor::Finding>& more) {
    findings.insert(findings.end(), more.begin(), more.end());
  };
  if (begun.runtime) add(doctor::check_mpi_library(environment, begun.topology, rank));
  add(doctor::check_machine(environment, begun.topology, rank));
  add({check_libtorch()});
  add(doctor::check_gpus(begun.topology.node_of(rank).gpus, libraries_beside_libtorch()));
  add(doctor::check_hdf5());
  add({check_tiers()});
  return findings;
}

std::vector<std::pair<std::string, std::vector<doctor::Finding>>> gather(
    const Start& begun, const std::vector<doctor::Finding>& mine) {
  const std::string host = begun.topology.nodes.front().hostname;
  if (!begun.runtime) return {{host, mine}};
  const bool together = begun.refusals.empty();
  const auto hosts = comm::gather_texts(
      *begun.runtime, together ? begun.topology.node_of(begun.runtime->rank()).hostname : host);
  const auto texts = comm::gather_texts(*begun.runtime, doctor::to_json(mine));
  std::vector<std::pair<std::string, std::vector<doctor::Finding>>> found;
  for (std::size_t rank = 0; rank < texts.size(); ++rank)
    found.emplace_back(hosts[rank], doctor::findings_from_json(texts[rank]));
  return found;
}

void print_topology(const comm::Topology& topology, bool json) {
  if (!json) return fmt::print("{}\n", doctor::describe(topology));
  const boost::json::object line = {{"check", "topology"},
                                    {"verdict", "ok"},
                                    {"found", topology.describe()},
                                    {"advice", ""},
                                    {"topology", boost::json::parse(comm::to_json(topology))}};
  fmt::print("{}\n", boost::json::serialize(line));
}

int examine(bool json) {
  const comm::Environment environment = comm::current_environment();
  Start begun;
  start(begun, environment);
  const bool together = begun.refusals.empty();
  const bool speaks = !begun.runtime || begun.runtime->rank() == 0;
  const std::vector<doctor::Finding> mine = check_this_rank(begun, environment);
  auto found = gather(begun, mine);
  if (together) {
    const auto offsets = doctor::measure_clocks(*begun.runtime, begun.topology);
    if (speaks) found.front().second.push_back(doctor::judge_clocks(offsets));
  }
  if (speaks) found.front().second.push_back(check_slurm());
  const std::vector<doctor::Entry> entries = doctor::merge(found);
  if (speaks) {
    print_topology(begun.topology, json);
    if (json) {
      for (const doctor::Entry& entry : entries) fmt::print("{}\n", doctor::json_line(entry));
    } else {
      fmt::print("{}", doctor::table(entries, begun.topology.nodes.size()));
    }
    std::fflush(stdout);
  }
  return doctor::exit_status(entries);
}

/// For a shell to evaluate before it starts ranks here.
int print_settings() {
  const comm::Environment environment = comm::current_environment();
  for (const auto& [name, value] : comm::network_settings(comm::survey(environment).interfaces))
    if (!environment.contains(name)) fmt::print("export {}={}\n", name, slurm::shell_quote(value));
  return 0;
}

}  // namespace

void add_doctor(Command app) {
  Command command =
      app.subcommand("doctor", "Look at the machine, alone or on all ranks, and say what stands in the way");
  command.footer(footer);
  auto json = std::make_shared<bool>(false);
  command.flag("--json", *json, "One JSON object a line: check, verdict, found, advice, hosts");
  auto settings = std::make_shared<bool>(false);
  command.flag("--settings", *settings,
               "Print what NCCL, UCX and Open MPI should be told of this node's network, for a shell's eval");
  auto health = std::make_shared<HealthWords>();
  command.option("--health", health->run_folder,
                 "One rank on each node looks at what a job in this run folder needs; prints the names of "
                 "nodes that fail, and ends with 75 where one does");
  command.option("--gpus", health->gpus, "With --health: GPUs that each node must have");
  command.runs([json, settings, health] {
    if (!health->run_folder.empty()) return check_health(*health);
    return *settings ? print_settings() : examine(*json);
  });
}

}  // namespace trireme::cli
