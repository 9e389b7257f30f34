#pragma once
#include <string>
#include <string_view>

#include <ATen/core/Tensor.h>

#include "sharding/unit.h"

namespace trireme::model {

/// A weight whose group stores it in 4 bits: one run of bytes (sharding/codecs/nf4.h) under the weight's name
/// with ".nf4".
sharding::Parameter nf4_parameter(const sharding::Parameter& weight);
bool is_nf4(std::string_view parameter);
std::string name_without_nf4(const std::string& parameter);

/// As `linear`, for a weight of `shape` in 4 bits. The weight is frozen; it is made anew for each product, in
/// x's type, and not kept.
at::Tensor nf4_linear(const at::Tensor& x, const at::Tensor& bytes, at::IntArrayRef shape,
                      const at::Tensor& bias, bool transposed);

}  // namespace trireme::model
