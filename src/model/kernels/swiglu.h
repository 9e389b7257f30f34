#pragma once
#include <cstdint>

#include "core/dtype.h"
#include "core/kernel_args.h"

namespace trireme::model::kernels {

using trireme::kernels::SwiGlu;
using trireme::kernels::SwiGluBackward;

void swiglu(const SwiGlu& args, std::int64_t first, std::int64_t count, DType dtype);
void swiglu_backward(const SwiGluBackward& args, std::int64_t first, std::int64_t count, DType dtype);

}  // namespace trireme::model::kernels
