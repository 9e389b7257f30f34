#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>

#include "core/dtype.h"

namespace trireme::sharding {

class ArrayLane;

/// A run of fp32 masters as they lie in memory: whole, or each as the bf16 parameter, which is the nearest to
/// it, and its own lower half.
struct MasterValues {
  float* whole = nullptr;
  BFloat16* nearest = nullptr;
  std::uint16_t* lower = nullptr;

  MasterValues from(std::int64_t at) const;
  /// `lane`: by what they are reached where they do not lie in the host's memory; null: they do.
  void read(float* into, std::int64_t count, ArrayLane* lane = nullptr) const;
  using Fetch = std::function<void(void* into, const void* from, std::size_t bytes)>;
  void read(float* into, std::int64_t count, const Fetch& fetch) const;
  /// Masters in halves are made splittable on the way.
  void write(const float* values, std::int64_t count, ArrayLane* lane = nullptr) const;
};

}  // namespace trireme::sharding
