#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Causal attention by LibTorch's kernel for CPUs, with the meaning of `attend`, without a cap. Backward
/// needs no more than the inputs as they are, the results and a number for each row and head: heads of keys
/// are repeated, halves widened to fp32 and masks made in each pass again. Where there are pieces, the
/// results go into them in the first pass; once these are complete they are taken from there, and only
/// backward computes.
at::Tensor host_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          const at::Tensor& document_bounds, std::int64_t window, double scale,
                          sharding::KeptPieces* pieces);

}  // namespace trireme::model
