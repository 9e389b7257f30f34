#include "mpi_main.h"

#include <gtest/gtest.h>

#include "comm/mpi/runtime.h"

namespace trireme::tests {
namespace {
const comm::MpiRuntime* current_runtime = nullptr;
}
const comm::MpiRuntime& mpi_runtime() {
  return *current_runtime;
}
}  // namespace trireme::tests

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const trireme::comm::MpiRuntime runtime(&argc, &argv);
  trireme::tests::current_runtime = &runtime;
  if (runtime.rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
  }
  const int mine = RUN_ALL_TESTS();
  int all = mine;
  MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (mine && runtime.rank() != 0) std::fprintf(stderr, "rank %d: tests failed\n", runtime.rank());
  return all;
}
