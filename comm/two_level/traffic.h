#pragma once
#include "comm/communicator.h"
#include "comm/two_level/layout.h"
#include "comm/two_level/two_level_communicator.h"

namespace trireme::comm {

/// Payload bytes that the rank at `index` of the group sends when a TwoLevelCommunicator carries out an
/// all-gather, reduce-scatter or all-reduce over more than one node, counted without running it.
Traffic two_level_traffic(const Call& call, int index, const NodeLayout& layout,
                          const TwoLevelOptions& options = {});

}  // namespace trireme::comm
