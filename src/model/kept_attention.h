#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Causal scaled_dot_product_attention of [batch, heads, positions, size] on a CPU, to the bit. In the first
/// pass its results go into the pieces; once these are complete they are taken from there, and only backward
/// computes.
at::Tensor kept_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          double scale, sharding::KeptPieces& pieces);

}  // namespace trireme::model
