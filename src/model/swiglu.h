#pragma once
#include "model/remade.h"

namespace trireme::model {

/// silu(gate) * up. Keeps the two inputs alone, from which the result can be made again.
Remakable swiglu(const at::Tensor& gate, const at::Tensor& up);

}  // namespace trireme::model
