#pragma once
#include <string>

#include "comm/topology_survey.h"

namespace trireme::comm {

/// Why MPI's rank and size cannot be those of the launch that the environment tells of, as when each of N
/// processes came up alone; empty when they agree, or when no launcher started this process.
std::string launch_problem(const Environment& environment, int rank, int size);

}  // namespace trireme::comm
