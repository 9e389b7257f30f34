#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// out = silu(gate) * up, element by element.
struct SwiGlu {
  const void* gate = nullptr;
  const void* up = nullptr;
  void* out = nullptr;
};

struct SwiGluBackward {
  const void* gradient = nullptr;
  const void* gate = nullptr;
  const void* up = nullptr;
  void* dgate = nullptr;
  void* dup = nullptr;
};

void swiglu(const SwiGlu& args, std::int64_t first, std::int64_t count, DType dtype);
void swiglu_backward(const SwiGluBackward& args, std::int64_t first, std::int64_t count, DType dtype);

}  // namespace trireme::model::kernels
