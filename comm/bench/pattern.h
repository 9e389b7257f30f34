#pragma once
#include <cstddef>
#include <cstdint>

#include "comm/bench/collective.h"

namespace trireme::comm::bench {

/// The known contents of a check: small integers that repeat with a prime period, so that a block moved by
/// any power of two, a neighbour's block or a block added twice is seen. Sums over up to 60 ranks are exact
/// in every type.
int pattern_value(int rank, std::size_t index);

/// Fills `elements` of the vector of `rank`, which begin at `offset` of it.
void fill_pattern(void* data, std::size_t elements, DType dtype, int rank, std::size_t offset);
/// Fills what a rank gives to a workload, and its output with values that no result has.
void prepare_check(const Workload& workload, int rank, const Placed& placed);
/// Elements of `rank`'s output that are not what the workload must give.
std::uint64_t count_wrong(const Workload& workload, int rank, const Placed& placed);

}  // namespace trireme::comm::bench
