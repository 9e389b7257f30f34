#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Rows of logits of some columns of a vocabulary, fp32 or bf16, and what is known of each row before and
/// after them.
struct ChunkRows {
  void* logits = nullptr;
  std::int64_t columns = 0;
  /// Where in the chunk a row's label is; elsewhere: negative, or from `columns` on.
  const std::int64_t* labels = nullptr;
};

/// The logarithm of the sum of all exponentials so far, and the label's logit.
struct ChunkSums {
  const float *sum_before = nullptr, *target_before = nullptr;
  float *sum = nullptr, *target = nullptr;
};
void add_chunk_rows(const ChunkRows& rows, const ChunkSums& sums, std::int64_t first, std::int64_t count,
                    DType dtype);

/// Logits become, in place, their gradients: those of the sum and of the label's logit are given.
struct ChunkGradients {
  const float *sum = nullptr, *of_sum = nullptr, *of_target = nullptr;
};
void chunk_rows_backward(const ChunkRows& rows, const ChunkGradients& gradients, std::int64_t first,
                         std::int64_t count, DType dtype);

}  // namespace trireme::model::kernels
