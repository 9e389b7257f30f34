#pragma once
#include "core/dtype.h"
#include "core/error.h"
#include "cuda/apis.h"

namespace trireme::cuda {

inline NumberType number_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return NumberType::f32;
    case DType::bf16:
      return NumberType::bf16;
    case DType::f16:
      return NumberType::f16;
    default:
      fail(ExitCode::internal, "a GPU computes with f32, bf16 and f16, not with {}", name_of(dtype));
  }
}

}  // namespace trireme::cuda
