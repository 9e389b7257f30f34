#pragma once
#include <ATen/core/Tensor.h>

namespace trireme::model {

/// weight * sum over rows with a label of -log softmax(hidden W^T)[label], a float scalar. `hidden` [rows,
/// size], `labels` [rows], where -100 is not scored. Rows go through in chunks and their gradients are made
/// in the same pass, so the logits are never held whole.
at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight);

}  // namespace trireme::model
