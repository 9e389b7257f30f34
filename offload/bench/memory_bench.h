#pragma once
#include <cstdint>
#include <vector>

#include "offload/bench/tier_record.h"

namespace trireme::offload::bench {

struct MemoryOptions {
  std::uint64_t copy_bytes = std::uint64_t{256} << 20;
  std::int64_t parameters = 50'000'000;
  std::vector<int> threads{1};
  int rounds = 5;
};

/// Copies between two locked buffers, on each number of threads; the limit is the best of the run.
std::vector<Record> measure_copies(const MemoryOptions& options);
/// The host optimizers: fp32 to fp32, bf16 to bf16 with the scaling of gradients, the same with masters in
/// halves, and 8-bit state; beside the traffic alone.
std::vector<Record> measure_updates(const MemoryOptions& options);

}  // namespace trireme::offload::bench
