#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "cuda/kernels/numbers.h"

// Found by templates over number types, as they lie in the namespace of the types. Not-a-number becomes what
// the CPU's conversion makes of it.
__device__ __forceinline__ float widen(__half value) {
  return __half2float(value);
}
__device__ __forceinline__ void narrow(float value, __half& out) {
  const unsigned sign = __float_as_uint(value) >> 16 & 0x8000u;
  out =
      value == value ? __float2half_rn(value) : __ushort_as_half(static_cast<unsigned short>(sign | 0x7e00u));
}
__device__ __forceinline__ float widen(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& out) {
  const unsigned bits = __float_as_uint(value);
  out = value == value ? __float2bfloat16_rn(value)
                       : __ushort_as_bfloat16(static_cast<unsigned short>((bits >> 16) | 0x40u));
}

template <int width>
__device__ __forceinline__ void narrow_numbers(const float (&values)[width], __nv_bfloat16 (&out)[width]) {
  static_assert(width % 2 == 0);
  for (int k = 0; k < width; k += 2) {
    const __nv_bfloat162 pair = __floats2bfloat162_rn(values[k], values[k + 1]);
    out[k] = pair.x, out[k + 1] = pair.y;
  }
}
template <int width>
__device__ __forceinline__ void narrow_numbers(const float (&values)[width], __half (&out)[width]) {
  static_assert(width % 2 == 0);
  for (int k = 0; k < width; k += 2) {
    const __half2 pair = __floats2half2_rn(values[k], values[k + 1]);
    out[k] = pair.x, out[k + 1] = pair.y;
  }
}
