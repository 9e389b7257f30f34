#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Rows of `size` elements, fp32 or bf16: out = sum / rms(sum) * weight, where sum = x + residual.
struct NormForward {
  const void* x = nullptr;
  /// Null: nothing is added, and `sum` is not written.
  const void* residual = nullptr;
  void* sum = nullptr;
  const float* weight = nullptr;
  double epsilon = 0;
  void* out = nullptr;
  /// One a row: 1 / rms.
  float* scale = nullptr;
  std::int64_t size = 0;
};

struct NormBackward {
  const void* gradient = nullptr;
  /// What was normed.
  const void* x = nullptr;
  const float* weight = nullptr;
  const float* scale = nullptr;
  /// Of the sum itself, where it is used otherwise; null: nothing.
  const void* sum_gradient = nullptr;
  void* dx = nullptr;
  /// `size` floats that the weight's gradient is added to; null: it is not wanted.
  float* dw = nullptr;
  std::int64_t size = 0;
};

void norm_rows(const NormForward& args, std::int64_t first_row, std::int64_t rows, DType dtype);
void norm_rows_backward(const NormBackward& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
