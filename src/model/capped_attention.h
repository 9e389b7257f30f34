#pragma once
#include <ATen/core/Tensor.h>

namespace trireme::model {

/// Causal attention whose scores become cap · tanh(score / cap) before the softmax, over [batch, heads,
/// positions, size]; the queries are those of the last positions. Blocks of queries are made again in
/// backward, so that only query, key and value are kept.
at::Tensor capped_attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                            std::int64_t window, double scale, double cap);

}  // namespace trireme::model
