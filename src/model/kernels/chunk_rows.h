#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme::model::kernels {

using trireme::kernels::ChunkGradients;
using trireme::kernels::ChunkRows;
using trireme::kernels::ChunkSums;

void add_chunk_rows(const ChunkRows& rows, const ChunkSums& sums, std::int64_t first, std::int64_t count,
                    DType dtype);

void chunk_rows_backward(const ChunkRows& rows, const ChunkGradients& gradients, std::int64_t first,
                         std::int64_t count, DType dtype);

}  // namespace trireme::model::kernels
