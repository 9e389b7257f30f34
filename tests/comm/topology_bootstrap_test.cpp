#include <gmock/gmock.h>
#include <unistd.h>

#include "comm/bootstrap.h"
#include "comm/mesh.h"
#include "comm/mpi/gather_texts.h"
#include "comm/mpi/mpi_world.h"
#include "core/error.h"
#include "tests/mpi_main.h"

namespace trireme::comm {
namespace {

using testing::HasSubstr;

TEST(Bootstrap, AllRanksHoldTheSameTopology) {
  const MpiRuntime& runtime = tests::mpi_runtime();
  const Topology topology = bootstrap(runtime);
  ASSERT_EQ(topology.size(), runtime.size());
  const std::uint64_t mine = std::hash<std::string>{}(to_json(topology));
  std::uint64_t low = 0, high = 0;
  MPI_Allreduce(&mine, &low, 1, MPI_UINT64_T, MPI_MIN, MPI_COMM_WORLD);
  MPI_Allreduce(&mine, &high, 1, MPI_UINT64_T, MPI_MAX, MPI_COMM_WORLD);
  EXPECT_EQ(low, high);
  EXPECT_FALSE(topology.place(runtime.rank()).cores.empty());
  EXPECT_FALSE(topology.node_of(runtime.rank()).numa.empty());
  EXPECT_EQ(Mesh(topology).node_group(runtime.rank()).ranks, topology.node_of(runtime.rank()).ranks);
}

TEST(Bootstrap, NodesAreTheHosts) {
  const MpiRuntime& runtime = tests::mpi_runtime();
  std::string mine(256, '\0');
  ASSERT_EQ(gethostname(mine.data(), mine.size() - 1), 0);
  const std::vector<std::string> hosts = gather_texts(runtime, mine.c_str());
  const Topology topology = bootstrap(runtime);
  for (int a = 0; a < runtime.size(); ++a) {
    EXPECT_EQ(topology.node_of(a).hostname, hosts[static_cast<std::size_t>(a)]);
    for (int b = 0; b < runtime.size(); ++b)
      EXPECT_EQ(topology.place(a).node == topology.place(b).node,
                hosts[static_cast<std::size_t>(a)] == hosts[static_cast<std::size_t>(b)]);
  }
  for (const Node& node : topology.nodes) {
    if (topology.nodes.size() > 1) {
      EXPECT_FALSE(node.interfaces.empty());
    }
    for (const NetworkInterface& interface : node.interfaces)
      EXPECT_FALSE(interface.address.empty()) << interface.name;
  }
}

TEST(Bootstrap, MpiWorldTakesItsNodesFromIt) {
  const MpiWorld world(tests::mpi_runtime());
  EXPECT_EQ(world.node_of_rank(), world.topology().node_of_rank());
  EXPECT_EQ(world.size(), tests::mpi_runtime().size());
}

/// The message of the error that every rank must see, whoever refused.
std::string common_refusal(const RankReport& report, const BootstrapOptions& options = {}) {
  try {
    bootstrap_from(tests::mpi_runtime(), report, options);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::configuration);
    return error.what();
  }
  return "accepted";
}

RankReport report_of_this_rank() {
  RankReport report;
  report.hostname = "host";
  report.boot_id = "boot";
  return report;
}

TEST(Bootstrap, RefusalOfOneRankReachesAll) {
  const MpiRuntime& runtime = tests::mpi_runtime();
  RankReport report = report_of_this_rank();
  if (runtime.rank() == runtime.size() - 1) {
    report.problem = "it is Monday";
    report.problem_code = static_cast<int>(ExitCode::configuration);
  }
  EXPECT_EQ(common_refusal(report), "rank " + std::to_string(runtime.size() - 1) + " on host: it is Monday");
}

TEST(Bootstrap, SharedMemoryAcrossMachinesIsRefusedByAll) {
  const MpiRuntime& runtime = tests::mpi_runtime();
  const std::vector<int> together = bootstrap(runtime).nodes.front().ranks;
  if (together.size() == 1) GTEST_SKIP() << "needs two ranks on a node";
  RankReport report = report_of_this_rank();
  if (runtime.rank() == together[1]) report.hostname = "elsewhere";
  EXPECT_THAT(common_refusal(report),
              HasSubstr("ranks 0 and " + std::to_string(together[1]) +
                        " share memory, but they run on host (boot boot) and elsewhere"));
}

TEST(Bootstrap, GpusAreAssignedOnRequest) {
  const MpiRuntime& runtime = tests::mpi_runtime();
  RankReport report = report_of_this_rank();
  EXPECT_THAT(common_refusal(report, {.use_gpus = true}), HasSubstr("rank 0 on host sees no GPU"));
  for (int gpu = 0; gpu < runtime.size(); ++gpu)
    report.gpus.push_back({"0000:0" + std::to_string(gpu) + ":00.0", "", "", -1});
  const Topology topology = bootstrap_from(runtime, report, {.use_gpus = true});
  EXPECT_EQ(topology.device_ordinal(runtime.rank()), topology.place(runtime.rank()).local_rank);
  report.gpus.resize(1);
  const bool alone = topology.nodes.size() == topology.ranks.size();
  EXPECT_EQ(common_refusal(report, {.use_gpus = true}) == "accepted", alone);
  EXPECT_EQ(
      bootstrap_from(runtime, report, {.use_gpus = true, .share_gpus = true}).device_ordinal(runtime.rank()),
      0);
}

}  // namespace
}  // namespace trireme::comm
