#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Turns the halves of each head of each row by the angles of the row's position. Rows of `x` lie `stride`
/// elements apart, those of `out` one after another.
struct Rotation {
  const void* x = nullptr;
  std::int64_t stride = 0;
  void* out = nullptr;
  const std::int64_t* positions = nullptr;
  /// [positions, head_size / 2]
  const float* cosine = nullptr;
  const float* sine = nullptr;
  std::int64_t heads = 0, head_size = 0;
  /// -1 turns back.
  float direction = 1;
};

void rotate_rows(const Rotation& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
