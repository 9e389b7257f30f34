#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Rows of a bf16 matrix, `stride` elements apart, as columns: out[column * out_stride + row]. The columns
/// are few enough to stay in a second-level cache beside the rows.
void transpose(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* out, std::int64_t out_stride);

}  // namespace trireme::model::kernels
