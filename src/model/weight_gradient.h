#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/gradient_sink.h"

namespace trireme::model {

/// fp16 on a host, for which few CPUs have instructions: without, LibTorch's products take several times as
/// long as in fp32. They are made in fp32 on all of them and rounded once.
bool multiplies_slowly(const at::Tensor& x);

/// into = left^T right, added to what is there where `add`: left [rows, m], right [rows, n], into fp32
/// [m, n]. Products of bf16 are summed in fp32 where they are stored, with no temporary of that size, on CPUs
/// that multiply bf16.
void add_product(const at::Tensor& left, const at::Tensor& right, const at::Tensor& into, bool add);

/// The gradient of a weight that is left^T right: put into its slot (then the result is undefined), or
/// returned in the weight's type.
at::Tensor product_gradient(const sharding::GradientSinkPtr& sink, const at::Tensor& weight,
                            const at::Tensor& left, const at::Tensor& right);

}  // namespace trireme::model
