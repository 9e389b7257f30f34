#pragma once
#include <cstddef>
#include <memory>

#include "comm/buffer.h"
#include "sharding/array_lane.h"
#include "sharding/state_arrays.h"

namespace trireme::sharding {

/// Zeroed memory for the arrays of a rank's optimizer state, one after the other: huge pages of their own
/// would round each of them up by as much as 2 MiB.
class StateMemory {
 public:
  /// For all trained groups.
  StateMemory(const Blueprint& blueprint, const Optimizer& optimizer, ArrayLane& lane);
  comm::Buffer take(std::size_t bytes);

 private:
  std::shared_ptr<comm::Buffer> whole_;
  std::size_t used_ = 0;
};

}  // namespace trireme::sharding
