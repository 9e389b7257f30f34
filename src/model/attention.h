#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// Causal attention of query [batch, sequence, heads, size] over key and value [batch, sequence,
/// key_value_heads, size], within the documents of the context. `window`: how many positions a query sees,
/// itself included; 0: all. `cap`: scores become cap · tanh(score / cap); 0: they stay. The result has
/// query's shape. Where the context keeps pieces, scores are not capped and a CPU computes, or a device with
/// flash attention, the results are kept there.
at::Tensor attend(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                  const sharding::Context& context, std::int64_t window, double scale, double cap = 0);

/// The same for the last positions of a text against keys and values of all of it, each row one document.
at::Tensor attend_to_past(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                          std::int64_t window, double scale, double cap = 0);

}  // namespace trireme::model
