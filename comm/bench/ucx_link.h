#pragma once
#include <memory>
#include <vector>

#include "comm/bench/pair_link.h"

namespace trireme::comm::bench {

/// Without MPI between: tagged messages (`ucx`), put (`ucx_put`) and get (`ucx_get`) over one set of UCX
/// links. Collective over the world; throws a configuration error where the program was built without UCX.
std::vector<std::unique_ptr<PairLink>> make_ucx_links(const MpiRuntime& runtime, std::size_t message_bytes);

}  // namespace trireme::comm::bench
