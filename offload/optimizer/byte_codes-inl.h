// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_BYTE_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_BYTE_CODES_INL_H_
#undef TRIREME_OFFLOAD_BYTE_CODES_INL_H_
#else
#define TRIREME_OFFLOAD_BYTE_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include "offload/optimizer/rank_tables.h"

#if HWY_TARGET == HWY_AVX3_DL
#include <immintrin.h>

// Codes of 64 elements at once, where the CPU permutes the bytes of two registers (VBMI): a table of 256
// bytes is four registers, and no element is looked up in memory.
HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

/// Exchanges rows and columns of the sixteen groups of four bytes: in order, or so that the bytes of four
/// vectors of floats lie where packing and unpacking within 128 bits puts them.
HWY_INLINE __m512i turned(__m512i bytes) {
  const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(places, bytes);
}

template <bool is_signed>
HWY_INLINE __m512i look_up(const std::uint8_t (&table)[256], __m512i places, __mmask64 upper_half) {
  const __m512i lower =
      _mm512_permutex2var_epi8(_mm512_load_si512(table), places, _mm512_load_si512(table + 64));
  if constexpr (is_signed) return lower;
  const __m512i upper =
      _mm512_permutex2var_epi8(_mm512_load_si512(table + 128), places, _mm512_load_si512(table + 192));
  return _mm512_mask_mov_epi8(lower, upper_half, upper);
}

/// Four vectors of floats from the bytes of each, lowest first.
HWY_INLINE void join(const __m512i (&bytes)[4], __m512 (&into)[4]) {
  const __m512i low0 = _mm512_unpacklo_epi8(bytes[0], bytes[1]),
                low1 = _mm512_unpacklo_epi8(bytes[2], bytes[3]);
  const __m512i high0 = _mm512_unpackhi_epi8(bytes[0], bytes[1]),
                high1 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
  into[0] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(low0, low1));
  into[1] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(low0, low1));
  into[2] = _mm512_castsi512_ps(_mm512_unpacklo_epi16(high0, high1));
  into[3] = _mm512_castsi512_ps(_mm512_unpackhi_epi16(high0, high1));
}

HWY_INLINE __m512i packed(const __m512i (&words)[4]) {
  return _mm512_packus_epi16(_mm512_packus_epi32(words[0], words[1]),
                             _mm512_packus_epi32(words[2], words[3]));
}

/// The numbers of 64 codes.
template <bool is_signed>
HWY_INLINE void decode_bytes(const RankTables& tables, const std::uint8_t* from, __m512 (&into)[4]) {
  const __m512i codes = turned(_mm512_loadu_si512(from));
  __m512i bytes[4];
  if constexpr (is_signed) {
    const __m512i zero = _mm512_set1_epi8(127);
    const __m512i ranks = _mm512_abs_epi8(_mm512_sub_epi8(codes, zero));
    const __mmask64 negative = _mm512_cmplt_epu8_mask(codes, zero);
    // The rank of 1 has an eighth bit, which the permutation ignores: it finds zero.
    const __mmask64 one = _mm512_movepi8_mask(ranks);
    for (int byte = 0; byte < 4; ++byte) bytes[byte] = look_up<true>(tables.numbers[byte], ranks, 0);
    bytes[2] = _mm512_mask_mov_epi8(bytes[2], one, _mm512_set1_epi8(static_cast<char>(0x80)));
    bytes[3] = _mm512_mask_mov_epi8(bytes[3], one, _mm512_set1_epi8(0x3f));
    const __m512i sign = _mm512_maskz_mov_epi8(negative, _mm512_set1_epi8(static_cast<char>(0x80)));
    bytes[3] = _mm512_or_si512(bytes[3], sign);
  } else {
    const __mmask64 upper_half = _mm512_movepi8_mask(codes);
    for (int byte = 0; byte < 4; ++byte)
      bytes[byte] = look_up<false>(tables.numbers[byte], codes, upper_half);
  }
  join(bytes, into);
}

/// Where the codes of 64 numbers are, or one less.
struct Estimate {
  alignas(64) std::int32_t ranks[64];
  __m512i places;
};

/// Makes `values` parts of their scale, by its inverse, and estimates their ranks.
template <bool is_signed>
HWY_INLINE void estimate_bytes(const RankTables& tables, __m512 inverse, float* values, Estimate& into) {
  const __m512i least = _mm512_set1_epi32(RankTables::least_bits),
                greatest = _mm512_set1_epi32(RankTables::greatest_bits);
  __m512i ranks[4];
  for (int v = 0; v < 4; ++v) {
    const __m512 part = _mm512_mul_ps(_mm512_load_ps(values + 16 * v), inverse);
    _mm512_store_ps(values + 16 * v, part);
    __m512i bits = _mm512_castps_si512(is_signed ? _mm512_abs_ps(part) : part);
    // As whole numbers, so that not-a-number becomes the last code as everywhere else.
    bits = _mm512_min_epu32(_mm512_max_epi32(bits, least), greatest);
    const __m512 magnitude = _mm512_castsi512_ps(bits);
    const __m512i place = _mm512_srli_epi32(bits, 23);
    const auto of_exponent = [&](const float(&table)[32]) {
      return _mm512_permutex2var_ps(_mm512_load_ps(table), place, _mm512_load_ps(table + 16));
    };
    const __m512 rank = _mm512_min_ps(
        _mm512_fmadd_ps(of_exponent(tables.slopes[0]), magnitude, of_exponent(tables.offsets[0])),
        _mm512_fmadd_ps(of_exponent(tables.slopes[1]), magnitude, of_exponent(tables.offsets[1])));
    ranks[v] = _mm512_cvttps_epi32(rank);
    _mm512_store_si512(into.ranks + 16 * v, ranks[v]);
  }
  into.places = packed(ranks);
}

/// The codes nearest to 64 parts of a scale, from their estimated ranks.
template <bool is_signed>
HWY_INLINE void encode_bytes(const RankTables& tables, const float* parts, const Estimate& estimate,
                             std::uint8_t* into) {
  const __mmask64 upper_half = is_signed ? 0 : _mm512_movepi8_mask(estimate.places);
  __m512i bytes[4];
  for (int byte = 0; byte < 4; ++byte)
    bytes[byte] = look_up<is_signed>(tables.borders[byte], estimate.places, upper_half);
  __m512 borders[4];
  join(bytes, borders);
  __m512i ranks[4];
  for (int v = 0; v < 4; ++v) {
    const __m512 part = _mm512_load_ps(parts + 16 * v);
    const __mmask16 beyond =
        _mm512_cmp_ps_mask(is_signed ? _mm512_abs_ps(part) : part, borders[v], _CMP_NLT_UQ);
    const __m512i rank = _mm512_load_si512(estimate.ranks + 16 * v);
    ranks[v] = _mm512_mask_add_epi32(rank, beyond, rank, _mm512_set1_epi32(1));
    if constexpr (is_signed) {
      const __mmask16 negative = _mm512_cmp_ps_mask(part, _mm512_setzero_ps(), _CMP_LT_OQ);
      const __m512i zero = _mm512_set1_epi32(127);
      // The rank of -1, which has no code, falls below zero and is packed as zero, its neighbour.
      ranks[v] = _mm512_mask_sub_epi32(_mm512_add_epi32(zero, ranks[v]), negative, zero, ranks[v]);
    }
  }
  _mm512_storeu_si512(into, turned(packed(ranks)));
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
