#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Whether the CPU's own attention takes these queries: bf16, heads of whole vectors.
bool attends_in_pairs(const at::Tensor& query, double scale);

/// `attend` with key and value heads as they are, not repeated. Keeps its inputs, its result and a float for
/// each query of each head. `pieces`: the last two are kept there, or taken from there once it is complete.
at::Tensor pair_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          const at::Tensor& document_bounds, std::int64_t window, double scale,
                          sharding::KeptPieces* pieces = nullptr);

/// Document bounds as int64 on the host; an internal error unless they cover all positions.
at::Tensor checked_bounds(const at::Tensor& bounds, std::int64_t positions);

}  // namespace trireme::model
