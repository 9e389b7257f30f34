#pragma once
#include <cstddef>

namespace trireme::sharding {

/// Host memory of tensors, in bytes.
struct TensorMemoryUse {
  std::size_t in_use = 0;
  /// The most that was in use since `forget_peak`.
  std::size_t peak = 0;
  /// In use, and kept for tensors to come.
  std::size_t reserved = 0;
};

/// From now on memory of LibTorch's host tensors is kept when a tensor dies and handed to the next: a step's
/// tensors are those of the step before, and giving their pages back to the kernel and fetching them again
/// takes longer than most operations on them. It lies on huge pages.
void keep_tensor_memory();

/// Counts only what was made since `keep_tensor_memory`.
TensorMemoryUse tensor_memory();
void forget_peak();

}  // namespace trireme::sharding
