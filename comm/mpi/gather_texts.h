#pragma once
#include <string>
#include <vector>

#include "comm/mpi/runtime.h"

namespace trireme::comm {

/// Every rank's bytes, by rank, on every rank. Collective over the world.
std::vector<std::string> gather_texts(const MpiRuntime& runtime, const std::string& mine);

}  // namespace trireme::comm
