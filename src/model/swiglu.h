#pragma once
#include <ATen/core/Tensor.h>

namespace trireme::model {

/// silu(gate) * up. Keeps the two inputs alone.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace trireme::model
