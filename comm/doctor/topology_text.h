#pragma once
#include <string>
#include <vector>

#include "comm/topology.h"

namespace trireme::comm::doctor {

/// Nodes with their interfaces and GPUs, and under each its ranks with cores, NUMA nodes and GPU; lines for
/// people.
std::string describe(const Topology& topology);
/// {0, 1, 2, 5} → "0-2,5"
std::string ranges(std::vector<int> numbers);

}  // namespace trireme::comm::doctor
