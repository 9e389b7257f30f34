#pragma once
#include "model/remade.h"
#include "model/spec.h"
#include "sharding/gradient_sink.h"

namespace trireme::model {

/// x / rms(x) * (weight + shift) over the last dimension, computed in float, returned in x's type. Keeps x,
/// from which it can be made again.
Remakable rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon,
                   const sharding::GradientSinkPtr& sink = {}, double shift = 0);

struct SumAndNorm {
  at::Tensor sum;
  Remakable norm;
};
/// residual + x, and its norm, in one pass over memory.
SumAndNorm add_rms_norm(const at::Tensor& residual, const at::Tensor& x, const at::Tensor& weight,
                        double epsilon, const sharding::GradientSinkPtr& sink = {}, double shift = 0);

/// The norm that `kind` names; `bias` is used by the layer norm alone.
Remakable normalize(NormKind kind, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    double epsilon, const sharding::GradientSinkPtr& sink = {});
SumAndNorm add_normalize(NormKind kind, const at::Tensor& residual, const at::Tensor& x,
                         const at::Tensor& weight, const at::Tensor& bias, double epsilon,
                         const sharding::GradientSinkPtr& sink = {});

}  // namespace trireme::model
