#pragma once
#include <optional>

#include <ATen/core/Tensor.h>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// The element type that the CPU's kernels compute a tensor in; nothing where it is not theirs.
inline std::optional<DType> kernel_type(const at::Tensor& tensor) {
  if (!tensor.is_cpu()) return std::nullopt;
  if (tensor.scalar_type() == at::kFloat) return DType::f32;
  if (tensor.scalar_type() == at::kBFloat16) return DType::bf16;
  return std::nullopt;
}

/// Below this many elements a thread's work is not worth waking it.
constexpr std::int64_t elements_a_thread = 16384;

}  // namespace trireme::model::kernels
