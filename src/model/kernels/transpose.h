#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Rows of a bf16 matrix, `stride` elements apart, as columns: out[column * rows + row]. `columns` is at most
/// what fits a first-level cache beside the rows.
void transpose(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* out);
/// Pairs of rows with their elements side by side, as products of pairs want them: out[(row / 2) * columns *
/// 2 + column * 2 + row % 2]; a last row without a partner gets zeros.
void pair_rows(const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t columns,
               BFloat16* out);

}  // namespace trireme::model::kernels
