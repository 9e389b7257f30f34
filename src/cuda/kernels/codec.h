#pragma once
#include <cstddef>
#include <cstdint>

#include <cuda_runtime_api.h>

#include "comm/codec/format.h"

namespace trireme::cuda {

using comm::codec::BlockFormat;

// The wire codecs on a device, over pointers and a stream: the same bytes as trireme::comm::codec on the CPU.
// bf16 is given as its bits. Each returns what launching the kernel returned.

cudaError_t codec_encode(const BlockFormat& format, const float* in, std::size_t count, void* out,
                         cudaStream_t stream);
cudaError_t codec_encode(const BlockFormat& format, const std::uint16_t* in, std::size_t count, void* out,
                         cudaStream_t stream);

/// The parts lie `stride` bytes apart, a multiple of four.
cudaError_t codec_decode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                             std::size_t count, float divisor, float* out, cudaStream_t stream);
cudaError_t codec_decode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                             std::size_t count, float divisor, std::uint16_t* out, cudaStream_t stream);

/// `out_format.block` is at most codec_longest_recoded_block, because a block's sums lie in shared memory.
constexpr std::uint32_t codec_longest_recoded_block = 8192;
cudaError_t codec_recode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                             std::size_t count, const BlockFormat& out_format, void* out,
                             cudaStream_t stream);

}  // namespace trireme::cuda
