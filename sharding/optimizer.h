#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/dtype.h"
#include "sharding/layout.h"

namespace trireme {
class DeviceKernels;
}

namespace trireme::sharding {

/// One array of state that an optimizer keeps beside the parameters: an element for each `elements_each` of a
/// tensor, counted from its start.
struct StateKind {
  std::string name;
  DType dtype = DType::f32;
  std::int64_t elements_each = 1;
};

/// What changes from step to step.
struct UpdateScalars {
  double learning_rate = 0;
  /// Gradients are multiplied by it: clipping, and one over the loss scale.
  double gradient_scale = 1;
  /// Counted from 1.
  std::int64_t step = 1;
};

/// A run of elements of one parameter that this rank updates.
struct UpdateRun {
  const Parameter* parameter = nullptr;
  std::int64_t begin = 0;
  std::int64_t count = 0;
  /// Null where the masters are split.
  float* master = nullptr;
  /// The lower halves of masters to which `copy` holds the nearest bf16; null where they are whole.
  std::uint16_t* lower = nullptr;
  const float* gradient = nullptr;
  /// One pointer for each StateKind, at this run's first element.
  std::span<std::byte* const> states;
  /// Where the new values are also written in `copy_dtype`; null: nowhere.
  void* copy = nullptr;
  DType copy_dtype = DType::f32;
  /// Null where the run's memory is the host's.
  DeviceKernels* device = nullptr;
};

/// An update rule over slices of flat fp32 vectors. It holds settings and no state, so one object serves all
/// groups and threads.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<StateKind> states() const = 0;
  virtual Granule granule() const = 0;
  virtual void update(const UpdateRun& run, const UpdateScalars& scalars) const = 0;
};

}  // namespace trireme::sharding
