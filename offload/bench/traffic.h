#pragma once
#include "offload/optimizer/adamw.h"
#include "offload/optimizer/adamw8.h"

namespace trireme::offload::bench {

/// Reads and writes what an update does, in the same order, and only adds: what the memory allows at most.
void adamw_traffic(const AdamWRun& run);
void adamw8_traffic(const AdamW8Run& run);

}  // namespace trireme::offload::bench
