#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/gradient_sink.h"

namespace trireme::model {

/// weight * sum over rows with a label of -log softmax(hidden W^T)[label], a float scalar. `hidden` [rows,
/// size], `labels` [rows], where -100 is not scored. Rows go through in chunks and their gradients are made
/// in the same pass, so the logits are never held whole. With a sink the weight's gradient is in its slot
/// when this returns, for a backward that begins with one. `cap`: logits become cap · tanh(logit / cap); 0:
/// they stay.
at::Tensor linear_cross_entropy(const at::Tensor& hidden, const at::Tensor& output_weight,
                                const at::Tensor& labels, double weight,
                                const sharding::GradientSinkPtr& sink = {}, double cap = 0);

/// How often a token with a label is the most likely one of its row.
std::int64_t count_hits(const at::Tensor& hidden, const at::Tensor& output_weight, const at::Tensor& labels);

}  // namespace trireme::model
