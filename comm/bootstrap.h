#pragma once
#include <vector>

#include "comm/mpi/runtime.h"
#include "comm/topology.h"
#include "comm/topology_survey.h"

namespace trireme::comm {

struct BootstrapOptions {
  bool use_gpus = false;    ///< give each rank a GPU, and refuse where there are too few
  bool share_gpus = false;  ///< let ranks share GPUs, for tests
  std::vector<Gpu> gpus{};  ///< as this rank's GPU library counts them; taken where the kernel shows none
};

/// From MPI to the topology, equal on all ranks. Collective over the world, and so are its errors: when one
/// rank refuses, all throw the same Error that names it.
Topology bootstrap(const MpiRuntime& runtime, const BootstrapOptions& options = {});

/// The same for a report made elsewhere.
Topology bootstrap_from(const MpiRuntime& runtime, RankReport report, const BootstrapOptions& options);

}  // namespace trireme::comm
