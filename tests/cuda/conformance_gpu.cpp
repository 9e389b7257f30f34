#include <cstdlib>

#include "comm/mpi/device_exchange.h"
#include "comm/mpi/mpi_world.h"
#include "core/error.h"
#include "core/plugin.h"
#include "tests/comm/conformance.h"
#include "tests/cuda/staged_world.h"
#include "tests/mpi_main.h"

namespace trireme::comm::tests {
namespace {

using namespace trireme::tests;

/// NCCL refuses two ranks on one GPU unless it believes that they are on different hosts; they then talk
/// through sockets.
void pretend_hosts(int rank) {
  setenv("NCCL_HOSTID", ("rank" + std::to_string(rank)).c_str(), 0);
  setenv("NCCL_IB_DISABLE", "1", 0);
}

ConformanceTarget over_gpu() {
  ConformanceTarget target;
  target.name = "Nccl";
  target.backend = "nccl";
  target.finds_mismatches = false;
  target.reduces_i16 = false;
  target.rounds_once = false;
  target.on_each_rank = [](const auto& body) {
    DevicePlugin* plugin = nullptr;
    try {
      plugin = &open_device_plugin();
    } catch (const Error& missing) {
      GTEST_SKIP() << missing.what();
    }
    const MpiWorld mpi(mpi_runtime());
    if (plugin->device_count() < mpi.size()) pretend_hosts(mpi.rank());
    const auto device = plugin->open(mpi.rank() % plugin->device_count());
    const auto world = plugin->world(*device, meet_over_mpi(mpi));
    StagedWorld staged(*world, *device);
    body(staged);
  };
  return target;
}

INSTANTIATE_TEST_SUITE_P(Gpu, Conformance, testing::Values(over_gpu()), name_of_target);

}  // namespace
}  // namespace trireme::comm::tests
