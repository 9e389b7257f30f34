#pragma once
#include "tests/nccl_double/host_cuda.h"

namespace trireme::tests {

/// NCCL's functions over MPI and host memory, as strict as they can be: every rank's call is compared with
/// the others' (kind, count, type, operation, root) before a byte moves, ranges must lie in device memory, a
/// communicator that does not block must be asked until it has settled before anything else is done with it
/// or its stream, groups must be closed, what was registered must be deregistered. What is wrong is reported
/// by report_misuse and as NCCL's error. Needs MPI_THREAD_MULTIPLE.
cuda::NcclApi host_nccl_api();

/// All doubles in one table. Collective over MPI_COMM_WORLD the first time.
const cuda::Apis& host_apis();

/// Communicators that were made and neither destroyed nor aborted.
std::size_t host_nccl_alive();

}  // namespace trireme::tests
