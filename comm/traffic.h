#pragma once
#include <span>

#include "comm/communicator.h"

namespace trireme::comm {

/// The ranges of an all-reduce that each rank reduces for all: whole cache lines.
Shards all_reduce_pieces(std::size_t count, DType dtype, int ranks);

/// Payload bytes that `rank` sends when every pair of ranks exchanges directly what one has and the other
/// needs, which is how the `shm` and `mpi` backends work. An all-reduce is a reduce-scatter and an all-gather
/// of its pieces.
Traffic direct_traffic(const Call& call, int rank, std::span<const int> node_of_member);

}  // namespace trireme::comm
