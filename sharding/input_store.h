#pragma once
#include <cstddef>
#include <memory>
#include <vector>

#include "offload/host/pool.h"
#include "sharding/array_lane.h"
#include "sharding/unit.h"

namespace trireme::sharding {

/// Where units' inputs wait on the host for backward. Each place keeps its memory from step to step. One
/// thread may park while another recalls, each in places that the other does not use.
class InputStore {
 public:
  explicit InputStore(offload::Pool& pool) : pool_(pool) {}

  /// Makes room for so many places; while nobody parks or recalls.
  void open(int places);
  /// Copies the tensors to a place and lets go of them.
  void park(int place, Activation& input, ArrayLane& lane);
  /// New tensors with the same bytes, sizes and strides.
  void recall(int place, Activation& input, ArrayLane& lane);
  /// Of all tensors for which there is memory.
  std::size_t bytes() const;

 private:
  struct Kept {
    Buffer memory;
    bool defined = false;
    std::vector<std::int64_t> sizes, strides;
    at::TensorOptions options;
  };
  void take(Kept& kept, at::Tensor& tensor, ArrayLane& lane);
  static at::Tensor made(const Kept& kept, ArrayLane& lane);

  offload::Pool& pool_;
  /// The hidden tensor first.
  std::vector<std::vector<Kept>> places_;
};

}  // namespace trireme::sharding
