#pragma once
#include "comm/mpi/runtime.h"

namespace trireme::tests {

/// The one MPI runtime of a test program that links trireme_test_mpi_main.
const comm::MpiRuntime& mpi_runtime();

}  // namespace trireme::tests
