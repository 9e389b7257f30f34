#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Causal scaled_dot_product_attention of [batch, heads, positions, size] on a CPU, to the bit; of halves it
/// is computed in fp32 and rounded once, and what backward needs stays in halves. Where there are pieces, its
/// results go into them in the first pass; once these are complete they are taken from there, and only
/// backward computes.
at::Tensor kept_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          double scale, sharding::KeptPieces* pieces);

}  // namespace trireme::model
