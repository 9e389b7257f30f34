#include "comm/bootstrap.h"

#include <string>
#include <vector>

#include "comm/bootstrap_launch.h"
#include "comm/mpi/gather_texts.h"
#include "comm/topology_assemble.h"
#include "core/error.h"

namespace trireme::comm {
namespace {

int find_shared_memory_leader(const MpiRuntime& runtime) {
  MPI_Comm node = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, runtime.rank(), MPI_INFO_NULL, &node),
            "MPI_Comm_split_type");
  int leader = runtime.rank();
  const int code = MPI_Bcast(&leader, 1, MPI_INT, 0, node);
  MPI_Comm_free(&node);
  check_mpi(code, "MPI_Bcast");
  return leader;
}

/// A rank that refuses alone would leave the others in the gather, so what goes wrong here travels with the
/// report.
RankReport survey_or_problem(const MpiRuntime& runtime) {
  RankReport report;
  try {
    const Environment environment = current_environment();
    report = survey(environment);
    report.problem = launch_problem(environment, runtime.rank(), runtime.size());
    report.problem_code = static_cast<int>(ExitCode::configuration);
  } catch (const Error& error) {
    report.problem = error.what();
    report.problem_code = static_cast<int>(error.code());
  } catch (const std::exception& error) {
    report.problem = error.what();
    report.problem_code = static_cast<int>(ExitCode::internal);
  }
  return report;
}

}  // namespace

Topology bootstrap(const MpiRuntime& runtime, const BootstrapOptions& options) {
  RankReport report = survey_or_problem(runtime);
  if (report.gpus.empty()) report.gpus = options.gpus;
  return bootstrap_from(runtime, std::move(report), options);
}

Topology bootstrap_from(const MpiRuntime& runtime, RankReport report, const BootstrapOptions& options) {
  report.shared_memory_leader = find_shared_memory_leader(runtime);
  // What describes the node is the same for all of its ranks: one of them says it.
  if (report.shared_memory_leader != runtime.rank()) report.interfaces.clear(), report.numa_nodes.clear();
  std::vector<RankReport> reports;
  for (const std::string& text : gather_texts(runtime, to_json(report)))
    reports.push_back(report_from_json(text));
  Topology topology = assemble(reports);
  if (options.use_gpus) assign_gpus(topology, options.share_gpus);
  return topology;
}

}  // namespace trireme::comm
