#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme::model::kernels {

using trireme::kernels::NormBackward;
using trireme::kernels::NormForward;

void norm_rows(const NormForward& args, std::int64_t first_row, std::int64_t rows, DType dtype);
void norm_rows_backward(const NormBackward& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
