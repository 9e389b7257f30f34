#pragma once
#include <cstddef>

namespace trireme::peaks {

/// From now on memory of host tensors is counted for the rank whose thread asks for it.
void count_tensor_memory();

/// The calling thread works for this rank.
void work_for(int rank);

/// The most bytes of tensors that a rank had at once since `begin_peak` was called for it.
void begin_peak(int rank);
std::size_t peak_of(int rank);

}  // namespace trireme::peaks
