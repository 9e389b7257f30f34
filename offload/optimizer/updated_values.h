#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::offload {

/// Where an update finds the values of its run and leaves the new ones.
struct UpdatedValues {
  /// In fp32; null where they are kept in halves.
  float* master = nullptr;
  /// Written in `copy_type` in the same pass; null: nowhere.
  void* copy = nullptr;
  DType copy_type = DType::f32;
  /// The lower halves of values of which the copy, in bf16, is the nearest; null where the master is whole.
  std::uint16_t* lower = nullptr;
};

}  // namespace trireme::offload
