#include <gmock/gmock.h>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "comm/through_host/through_host_world.h"
#include "cuda/cuda_plugin.h"
#include "tests/comm/conformance.h"
#include "tests/cuda/staged_world.h"
#include "tests/mpi_main.h"
#include "tests/nccl_double/host_nccl.h"

namespace trireme::comm::tests {
namespace {

using namespace trireme::tests;

ConformanceTarget over_double() {
  ConformanceTarget target;
  target.name = "NcclDouble";
  target.backend = "nccl";
  target.finds_mismatches = false;  // NCCL has nothing to find them with; the double's own tests do
  target.reduces_i16 = false;
  target.on_each_rank = [](const auto& body) {
    {
      const MpiWorld mpi(mpi_runtime());
      cuda::CudaPlugin plugin(host_apis());
      const auto device = plugin.open(0);
      const auto world = plugin.world(*device, meet_over_mpi(mpi));
      StagedWorld staged(*world, *device);
      body(staged);
    }
    EXPECT_EQ(take_misuses(), std::vector<std::string>{});
    EXPECT_EQ(host_cuda_alive(), 0u);
    EXPECT_EQ(host_nccl_alive(), 0u);
  };
  return target;
}

/// Device memory over a backend of the host's, in pieces shorter than many calls.
ConformanceTarget through_host(const std::string& name, const std::string& backend, std::size_t piece_bytes) {
  ConformanceTarget target;
  target.name = name;
  target.backend = backend;
  target.finds_mismatches = false;  // pieces are compared, not calls
  target.on_each_rank = [piece_bytes](const auto& body) {
    {
      MpiWorld mpi(mpi_runtime());
      cuda::CudaPlugin plugin(host_apis());
      const auto device = plugin.open(0);
      ThroughHostWorld world(mpi, *device, piece_bytes);
      StagedWorld staged(world, *device);
      body(staged);
    }
    // What stages a call takes memory while those of other groups are under way.
    EXPECT_THAT(take_misuses(),
                testing::Each(testing::MatchesRegex("cuda(Malloc|Free) while a stream waits for the host")));
    EXPECT_EQ(host_cuda_alive(), 0u);
  };
  return target;
}

INSTANTIATE_TEST_SUITE_P(Double, Conformance,
                         testing::Values(over_double(), through_host("ThroughHostMpi", "mpi", 20000),
                                         through_host("ThroughHostShm", "shm", 300000)),
                         name_of_target);

}  // namespace
}  // namespace trireme::comm::tests
