#pragma once
#include <ATen/core/Tensor.h>

#include "model/rope.h"

/// The fused operations once more, as chains of LibTorch's operations under its autograd: slower, larger, and
/// written by others. What the fused ones are compared with.
namespace trireme::model::plain {

/// What the normalised values are multiplied by.
at::Tensor factors(NormKind kind, const at::Tensor& weight);
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double epsilon);
at::Tensor rotate(const at::Tensor& x, const at::Tensor& positions, const RopeTable::Rows& rows);
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
/// Holds all logits.
at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight, double cap = 0);

}  // namespace trireme::model::plain
