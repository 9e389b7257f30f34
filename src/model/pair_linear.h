#pragma once
#include <cstddef>
#include <cstdint>

#include <ATen/core/Tensor.h>

namespace trireme::model {

/// Whether the products below take these factors, the weight [columns, depth] or [depth, columns]: bf16 on a
/// CPU that multiplies pairs of it, enough rows to be worth packing the weight, a depth without odd ends.
bool takes_pairs(const at::Tensor& x, const at::Tensor& weight, bool depth_is_last);

/// x W^T, x [..., depth] and weight [columns, depth].
at::Tensor pair_product_transposed(const at::Tensor& x, const at::Tensor& weight);

/// x W, x [..., depth] and weight [depth, columns]; into `out` where it is given.
at::Tensor pair_product(const at::Tensor& x, const at::Tensor& weight, at::Tensor out = {});

/// into = left^T right, added to what is there where `add`: bf16 left [depth, m] and right [depth, n], fp32
/// into [m, n], all contiguous.
void pair_product_of_columns(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into,
                             bool add);

/// What a thread of `pair_product` needs beside its result, and one of `pair_product_of_columns` beside the
/// packed rows of `right`.
std::size_t pair_product_bytes(std::int64_t rows, std::int64_t depth);
std::size_t packed_rows_bytes(std::int64_t depth);

}  // namespace trireme::model
