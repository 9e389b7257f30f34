#pragma once
#include <cstddef>

#include "cuda/apis.h"

namespace trireme::tests {

std::size_t size_of(ncclDataType_t type);
/// Reduces `rows` rows of `count` elements, one below the other, in the order of the rows, into `out`, which
/// may be one of the rows. Half types are summed in fp32 and rounded once.
void reduce_rows(const void* rows, int ranks, std::size_t count, ncclDataType_t type, ncclRedOp_t operation,
                 void* out);

}  // namespace trireme::tests
