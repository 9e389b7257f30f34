#include "mpi_main.h"

#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "comm/mpi/runtime.h"

namespace trireme::tests {
namespace {
const comm::MpiRuntime* current_runtime = nullptr;

/// Rank 0 tells how the tests go, the others what fails on them alone.
class FailureTeller final : public testing::EmptyTestEventListener {
 public:
  explicit FailureTeller(int rank) : rank_(rank) {}
  void OnTestStart(const testing::TestInfo& test) override {
    test_ = std::string(test.test_suite_name()) + "." + test.name();
  }
  /// GoogleTest holds its lock here, so it cannot be asked which test this is.
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "rank %d: %s, %s:%d: %s\n", rank_, test_.c_str(),
                 result.file_name() ? result.file_name() : "", result.line_number(), result.message());
  }

 private:
  int rank_;
  std::string test_;
};

}  // namespace
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
    listeners.Append(new trireme::tests::FailureTeller(runtime.rank()));
  }
  const int mine = RUN_ALL_TESTS();
  int all = mine;
  MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  if (mine && runtime.rank() != 0) std::fprintf(stderr, "rank %d: tests failed\n", runtime.rank());
  return all;
}
