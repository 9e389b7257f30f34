#pragma once
#include <cstddef>
#include <span>

#include "core/dtype.h"

namespace trireme::io {

/// Converts `from.size() / size_of(source)` floating-point elements; equal types are copied.
/// Refuses integer and boolean types: weights are never made from them silently.
void convert_elements(DType source, std::span<const std::byte> from, DType target, std::span<std::byte> to);

}  // namespace trireme::io
