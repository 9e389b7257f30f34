#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme::model::kernels {

using trireme::kernels::Rotation;

void rotate_rows(const Rotation& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
