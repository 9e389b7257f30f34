#include <cuda_fp16.h>

#include "comm/codec/steps.h"
#include "cuda/kernels/codec.h"
#include "cuda/kernels/known_kernels.h"

// Found by the templates of steps.h, as they lie in __half's namespace.
__device__ inline float widen(__half value) {
  return __half2float(value);
}
__device__ inline void narrow(float value, __half& out) {
  // Any NaN becomes the NaN of the CPU's conversion.
  const bool number = trireme::comm::codec::magnitude(value) <= trireme::comm::codec::infinity_bits;
  out = number ? __float2half_rn(value) : __ushort_as_half(0x7e00u);
}

// Compiled with -fmad=false: a fused multiply-add would round differently from the CPU.

namespace trireme::cuda {
namespace {

using namespace comm::codec;

constexpr unsigned threads = 128;
constexpr unsigned warp = 32;
constexpr std::size_t most_blocks_in_grid = 1u << 16;

/// The largest of what the threads of a block bring, for all of them.
__device__ std::uint32_t largest_of_all(std::uint32_t mine) {
  __shared__ std::uint32_t of_warp[threads / warp];
  for (unsigned step = warp / 2; step > 0; step /= 2)
    mine = max(mine, __shfl_xor_sync(0xffffffffu, mine, step));
  __syncthreads();
  if (threadIdx.x % warp == 0) of_warp[threadIdx.x / warp] = mine;
  __syncthreads();
  for (unsigned other = 0; other < threads / warp; ++other) mine = max(mine, of_warp[other]);
  return mine;
}

template <typename In>
__device__ void encode_block(const BlockFormat& format, const In* in, std::size_t length, std::size_t block,
                             std::size_t count, std::uint8_t* out) {
  const Scale scale =
      scale_of(largest_of_all(largest_of_thread(in, length, threadIdx.x, threads)), format.levels());
  std::uint8_t* numbers = out + format.scale_bytes(count) + format.number_bytes(block * format.block);
  write_numbers(format, in, length, scale.inverse, numbers, threadIdx.x, threads);
  if (threadIdx.x != 0) return;
  reinterpret_cast<float*>(out)[block] = scale.scale;
  if (block + 1 == format.blocks(count)) write_padding(format, count, out);
}

__device__ std::size_t length_of_block(const BlockFormat& format, std::size_t block, std::size_t count) {
  const std::size_t left = count - block * format.block;
  return left < format.block ? left : format.block;
}

template <typename In>
__global__ void __launch_bounds__(threads)
    encode_kernel(BlockFormat format, const In* in, std::size_t count, std::uint8_t* out) {
  for (std::size_t block = blockIdx.x; block < format.blocks(count); block += gridDim.x)
    encode_block(format, in + block * format.block, length_of_block(format, block, count), block, count, out);
}

template <typename Out>
__global__ void __launch_bounds__(threads)
    decode_sum_kernel(BlockFormat format, Strided parts, int part_count, std::size_t count, float divisor,
                      Out* out) {
  const std::size_t all = static_cast<std::size_t>(gridDim.x) * threads;
  for (std::size_t i = static_cast<std::size_t>(blockIdx.x) * threads + threadIdx.x; i < count; i += all)
    narrow(finish_sum(sum_at(format, parts, part_count, i), divisor), out[i]);
}

__global__ void __launch_bounds__(threads)
    recode_sum_kernel(BlockFormat format, Strided parts, int part_count, std::size_t count,
                      BlockFormat out_format, std::uint8_t* out) {
  extern __shared__ float sums[];
  for (std::size_t block = blockIdx.x; block < out_format.blocks(count); block += gridDim.x) {
    const std::size_t at = block * out_format.block, length = length_of_block(out_format, block, count);
    for (std::size_t i = threadIdx.x; i < length; i += threads)
      sums[i] = finish_sum(sum_at(format, parts, part_count, at + i), 1.0f);
    __syncthreads();
    encode_block(out_format, sums, length, block, count, out);
    __syncthreads();
  }
}

unsigned grid_for(std::size_t blocks) {
  return static_cast<unsigned>(blocks < most_blocks_in_grid ? blocks : most_blocks_in_grid);
}

template <typename... Kernel>
bool list(Kernel*... kernels) {
  return (list_kernel(reinterpret_cast<const void*>(kernels)) && ...);
}

[[maybe_unused]] const bool listed =
    list(encode_kernel<float>, encode_kernel<std::uint16_t>, encode_kernel<__half>, decode_sum_kernel<float>,
         decode_sum_kernel<std::uint16_t>, decode_sum_kernel<__half>, recode_sum_kernel);

template <typename In>
cudaError_t encode_as(const BlockFormat& format, const void* in, std::size_t count, void* out,
                      cudaStream_t stream) {
  encode_kernel<<<grid_for(format.blocks(count)), threads, 0, stream>>>(
      format, static_cast<const In*>(in), count, static_cast<std::uint8_t*>(out));
  return cudaGetLastError();
}

template <typename Out>
cudaError_t decode_sum_as(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                          std::size_t count, float divisor, void* out, cudaStream_t stream) {
  decode_sum_kernel<<<grid_for((count + threads - 1) / threads), threads, 0, stream>>>(
      format, Strided{parts, stride, format, count}, part_count, count, divisor, static_cast<Out*>(out));
  return cudaGetLastError();
}

cudaError_t encode(const BlockFormat& format, const void* in, NumberType type, std::size_t count, void* out,
                   cudaStream_t stream) {
  switch (type) {
    case NumberType::f32:
      return encode_as<float>(format, in, count, out, stream);
    case NumberType::bf16:
      return encode_as<std::uint16_t>(format, in, count, out, stream);
    case NumberType::f16:
      return encode_as<__half>(format, in, count, out, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t decode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                       std::size_t count, float divisor, void* out, NumberType type, cudaStream_t stream) {
  switch (type) {
    case NumberType::f32:
      return decode_sum_as<float>(format, parts, stride, part_count, count, divisor, out, stream);
    case NumberType::bf16:
      return decode_sum_as<std::uint16_t>(format, parts, stride, part_count, count, divisor, out, stream);
    case NumberType::f16:
      return decode_sum_as<__half>(format, parts, stride, part_count, count, divisor, out, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t recode_sum(const BlockFormat& format, const void* parts, std::size_t stride, int part_count,
                       std::size_t count, const BlockFormat& out_format, void* out, cudaStream_t stream) {
  if (out_format.block > longest_recoded_block) return cudaErrorInvalidValue;
  const std::size_t shared = out_format.block * sizeof(float);
  recode_sum_kernel<<<grid_for(out_format.blocks(count)), threads, shared, stream>>>(
      format, Strided{parts, stride, format, count}, part_count, count, out_format,
      static_cast<std::uint8_t*>(out));
  return cudaGetLastError();
}

}  // namespace

CodecApi codec_kernels() {
  return {encode, decode_sum, recode_sum};
}

}  // namespace trireme::cuda
