#pragma once
#include <string>
#include <utility>
#include <vector>

#include "comm/topology.h"

namespace trireme::comm {

/// What NCCL, UCX and Open MPI should be told of a node's network: the fastest ports, and never a bridge of a
/// container or a virtual machine, which is not reached from another node. Empty where there is nothing to
/// choose. Pairs of an environment variable and its value.
std::vector<std::pair<std::string, std::string>> network_settings(
    const std::vector<NetworkInterface>& interfaces);

}  // namespace trireme::comm
