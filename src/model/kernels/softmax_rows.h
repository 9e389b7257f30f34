#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme::model::kernels {

using trireme::kernels::SoftmaxLoss;

void softmax_loss_rows(const SoftmaxLoss& args, std::int64_t first_row, std::int64_t rows, DType dtype);

}  // namespace trireme::model::kernels
