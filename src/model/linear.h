#pragma once
#include <ATen/core/Tensor.h>

#include "model/remade.h"
#include "sharding/gradient_sink.h"

namespace trireme::model {

/// x W^T + bias, or x W where the weight is stored [in, out]. The weight may be of another floating type than
/// x: it is cast for the product, and again in backward, so that nothing derived from a weight outlives the
/// call. `bias` may be undefined. Gradients of weight and bias go into their slots of `sink`, where it has
/// them. What x can be made again from is not kept.
at::Tensor linear(const Remakable& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed,
                  const sharding::GradientSinkPtr& sink = {});

/// The product alone, past autograd, and its gradient for x.
at::Tensor multiply(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool transposed);
at::Tensor input_gradient(const at::Tensor& gradient, const at::Tensor& weight, bool transposed);

}  // namespace trireme::model
