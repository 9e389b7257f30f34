// Included between a target pragma and its end; static, since each includer compiles it for its own target.
#pragma once
#include <immintrin.h>

namespace trireme::model::kernels {

/// Sixteen floats rounded to bf16, to nearest even, in the upper halves of their lanes; a NaN stays one.
static inline __m512i rounded_upper_halves(__m512 value) {
  const __m512i bits = _mm512_castps_si512(value);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  return _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q), bits,
                              _mm512_set1_epi32(0x400000));
}

static inline __m256i narrow_by_integers(__m512 value) {
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded_upper_halves(value), 16));
}

}  // namespace trireme::model::kernels
