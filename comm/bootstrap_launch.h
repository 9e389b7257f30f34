#pragma once
#include <string>
#include <string_view>

#include "comm/topology_survey.h"

namespace trireme::comm {

/// Why MPI_Init would abort this process without a clear word: Open MPI under an srun that offers it no PMIx.
/// Empty when it may try. `library` is what MPI_Get_library_version says.
std::string hopeless_launch(const Environment& environment, std::string_view library);

/// Why MPI's rank and size cannot be those of the launch that the environment tells of, as when each of N
/// processes came up alone; empty when they agree, or when no launcher started this process.
std::string launch_problem(const Environment& environment, int rank, int size);

}  // namespace trireme::comm
