#pragma once
#include <ATen/core/Tensor.h>

#include "model/spec.h"

namespace trireme::model {

/// x / rms(x) * weight over the last dimension, computed in float, returned in x's type.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);
/// The norm that `kind` names; `bias` is used by the layer norm alone.
at::Tensor normalize(NormKind kind, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     double epsilon);

}  // namespace trireme::model
