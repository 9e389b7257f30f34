#pragma once
#include "comm/call.h"
#include "cuda/apis.h"

namespace trireme::cuda {

/// Where a call is issued: this rank of a communicator, and the stream that carries it.
struct NcclPlace {
  int rank = 0;
  int size = 1;
  ncclComm_t comm = nullptr;
  cudaStream_t stream = nullptr;
  /// A word of device memory, for what needs to touch some: the barrier.
  void* scratch = nullptr;
};

/// Translates one call into NCCL's, in the same order on every rank. Uneven shards become a group of one
/// broadcast or one reduce a rank, so nothing is padded and nothing is copied. Returns with the work begun,
/// not done.
void issue(const Apis& apis, const comm::Call& call, const NcclPlace& place);

}  // namespace trireme::cuda
