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
  // The sign of a NaN is kept by the CPU alone where it rounds by itself; its codecs drop it.
  out = value == value ? __float2half_rn(value) : __ushort_as_half(0x7e00u);
}
__device__ __forceinline__ float widen(__nv_bfloat16 value) {
  return __bfloat162float(value);
}
__device__ __forceinline__ void narrow(float value, __nv_bfloat16& out) {
  const unsigned bits = __float_as_uint(value);
  out = value == value ? __float2bfloat16_rn(value)
                       : __ushort_as_bfloat16(static_cast<unsigned short>((bits >> 16) | 0x40u));
}
