#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/gradient_sink.h"

namespace trireme::model {

/// Rows of a table, in `type`. With a slot only the rows that were used are added to.
at::Tensor table_rows(const at::Tensor& table, const at::Tensor& index, at::ScalarType type,
                      const sharding::GradientSinkPtr& sink);

/// Writes into the memory of `hidden` the rows of those tokens that a part of a table has, which begins with
/// the row of token `first`. What others wrote there stays, so doing it again changes nothing.
at::Tensor write_rows(const at::Tensor& hidden, const at::Tensor& table, const at::Tensor& tokens,
                      std::int64_t first, const sharding::GradientSinkPtr& sink);

}  // namespace trireme::model
