#include "comm/mpi/mpi_world.h"
#include "tests/comm/conformance.h"
#include "tests/mpi_main.h"

namespace trireme::comm::tests {
namespace {

ConformanceTarget target(const std::string& name, const std::string& backend,
                         const std::optional<MpiLimits>& limits = {}) {
  return {name, backend, [limits](const auto& body) {
            MpiWorld world(trireme::tests::mpi_runtime(), {}, limits);
            body(world);
          }};
}

std::vector<ConformanceTarget> mpi_targets() {
  ConformanceTarget mpi = target("Mpi", "mpi");
  mpi.finds_mismatches = false;
  // Every long message in pieces, every reduction in blocks, what is exchanged in turns: what 2^31 elements
  // or TCP would bring about; and who waits sleeps.
  ConformanceTarget pieces = target(
      "MpiInPieces", "mpi",
      MpiLimits{.piece_bytes = 5000, .scratch_bytes = 100000, .segment_bytes = 30000, .turn_bytes = 20000});
  pieces.finds_mismatches = false, pieces.gives_way = true;
  return {target("Shm", "shm"), mpi, pieces};
}

INSTANTIATE_TEST_SUITE_P(Processes, Conformance, testing::ValuesIn(mpi_targets()), name_of_target);

}  // namespace
}  // namespace trireme::comm::tests
