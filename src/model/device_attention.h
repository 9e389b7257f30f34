#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

bool flash_takes_heads_of(std::int64_t size);
/// Whether LibTorch's flash attention takes these queries: halves on a GPU that has it, heads of whole
/// vectors.
bool attends_on_device(const at::Tensor& query);

/// `attend` without a cap, with key and value heads as they are, not repeated. Keeps its inputs, its result
/// and a float for each query of each head; the context's pieces as `host_attention` has them. Always the
/// same bits where LibTorch's algorithms are to be deterministic.
at::Tensor device_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            const sharding::Context& context, std::int64_t window, double scale);

}  // namespace trireme::model
