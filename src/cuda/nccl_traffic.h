#pragma once
#include <vector>

#include "comm/communicator.h"

namespace trireme::cuda {

/// What a rank sends in one call when NCCL uses its rings, which it does for large messages; send and
/// all-to-all are exact in any case.
comm::Traffic ring_traffic(const comm::Call& call, int rank, const std::vector<int>& node_of_member);

}  // namespace trireme::cuda
