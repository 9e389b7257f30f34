#include "comm/mpi/mpi_world.h"
#include "tests/comm/conformance.h"
#include "tests/mpi_main.h"

namespace trireme::comm::tests {
namespace {

ConformanceTarget target(const std::string& name, const std::string& backend) {
  return {name, backend, [](const auto& body) {
            MpiWorld world(trireme::tests::mpi_runtime());
            body(world);
          }};
}

std::vector<ConformanceTarget> mpi_targets() {
  ConformanceTarget mpi = target("Mpi", "mpi");
  mpi.finds_mismatches = false;
  return {target("Shm", "shm"), mpi};
}

INSTANTIATE_TEST_SUITE_P(Processes, Conformance, testing::ValuesIn(mpi_targets()), name_of_target);

}  // namespace
}  // namespace trireme::comm::tests
