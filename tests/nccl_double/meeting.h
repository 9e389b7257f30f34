#pragma once
#include "tests/nccl_double/host_comm.h"

namespace trireme::tests {

/// How ranks find each other: each fills in `comm` when all of them have come.
ncclResult_t make_id(ncclUniqueId* id);
ncclResult_t meet_by_id(HostComm& comm, const ncclUniqueId& id, int rank, int size);
ncclResult_t meet_by_split(HostComm& parent, HostComm& child, int color, int key);
/// Returns when every rank has finished with the communicator.
ncclResult_t meet_at_end(HostComm& comm);

}  // namespace trireme::tests
