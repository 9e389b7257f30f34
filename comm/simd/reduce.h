#pragma once
#include <cstddef>
#include <span>

#include "comm/call.h"

namespace trireme::comm::simd {

/// out[i] = in[0][i] ∘ in[1][i] ∘ …, always in that order, so that the result is the same to the bit wherever
/// it is computed. Half types accumulate in fp32 over all inputs and round once; integers wrap; the mean
/// divides the sum (integers towards zero); a sum of booleans is their `or`. `out` may be one of the inputs
/// but overlap none otherwise.
void reduce(std::span<const void* const> in, void* out, std::size_t count, DType dtype, Reduction reduction);
/// The same with the result stored to several places.
void reduce(std::span<const void* const> in, std::span<void* const> outs, std::size_t count, DType dtype,
            Reduction reduction);

namespace reference {
/// The same, one element at a time: what the vector kernels are tested against.
void reduce(std::span<const void* const> in, std::span<void* const> outs, std::size_t count, DType dtype,
            Reduction reduction);
}  // namespace reference

}  // namespace trireme::comm::simd
