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

/// A byte of what each of the places' numbers is.
template <bool is_signed>
HWY_INLINE __m512i look_up(const std::uint8_t (&table)[256], __m512i places) {
  const __m512i lower =
      _mm512_permutex2var_epi8(_mm512_load_si512(table), places, _mm512_load_si512(table + 64));
  if constexpr (is_signed) return lower;
  const __m512i upper =
      _mm512_permutex2var_epi8(_mm512_load_si512(table + 128), places, _mm512_load_si512(table + 192));
  return _mm512_mask_mov_epi8(lower, _mm512_movepi8_mask(places), upper);
}

/// Four vectors from the bytes of each, lowest first.
HWY_INLINE void join(const __m512i (&bytes)[4], __m512i (&into)[4]) {
  const __m512i low0 = _mm512_unpacklo_epi8(bytes[0], bytes[1]),
                low1 = _mm512_unpacklo_epi8(bytes[2], bytes[3]);
  const __m512i high0 = _mm512_unpackhi_epi8(bytes[0], bytes[1]),
                high1 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
  into[0] = _mm512_unpacklo_epi16(low0, low1), into[1] = _mm512_unpackhi_epi16(low0, low1);
  into[2] = _mm512_unpacklo_epi16(high0, high1), into[3] = _mm512_unpackhi_epi16(high0, high1);
}

/// The numbers of 64 codes.
template <bool is_signed>
HWY_INLINE void decode_bytes(const RankTables& tables, const std::uint8_t* from, __m512i (&into)[4]) {
  const __m512i codes = turned(_mm512_loadu_si512(from));
  const __m512i zero = _mm512_set1_epi8(127), sign = _mm512_set1_epi8(static_cast<char>(0x80));
  const __m512i ranks = is_signed ? _mm512_abs_epi8(_mm512_sub_epi8(codes, zero)) : codes;
  __m512i bytes[4];
  for (int byte = 0; byte < 4; ++byte) bytes[byte] = look_up<is_signed>(tables.numbers[byte], ranks);
  if constexpr (is_signed) {
    // The rank of 1 has an eighth bit, which the permutation ignores: it finds zero.
    const __mmask64 one = _mm512_movepi8_mask(ranks);
    bytes[2] = _mm512_mask_mov_epi8(bytes[2], one, sign);
    bytes[3] = _mm512_mask_mov_epi8(bytes[3], one, _mm512_set1_epi8(0x3f));
    bytes[3] = _mm512_mask_add_epi8(bytes[3], _mm512_cmplt_epu8_mask(codes, zero), bytes[3], sign);
  }
  join(bytes, into);
}

/// Words of two vectors by turns: the upper halves of both.
HWY_INLINE __m512i upper_words(const RankTables& tables, __m512 first, __m512 second) {
  return _mm512_permutex2var_epi16(_mm512_castps_si512(first), _mm512_load_si512(tables.uppers_by_turns),
                                   _mm512_castps_si512(second));
}

/// The third bytes of the floats of two vectors, in the lower half.
struct ThirdBytes {
  alignas(64) std::uint8_t places[64];

  constexpr ThirdBytes() : places{} {
    for (int i = 0; i < 32; ++i) places[i] = static_cast<std::uint8_t>(4 * i + 2);
  }
  HWY_INLINE __m512i operator()(__m512 first, __m512 second) const {
    return _mm512_permutex2var_epi8(_mm512_castps_si512(first), _mm512_load_si512(places),
                                    _mm512_castps_si512(second));
  }
};
inline constexpr ThirdBytes third_bytes;

/// The lines of 32 raised parts, by turns.
template <bool is_signed>
HWY_INLINE __m512i lines_of(const RankTables& tables, __m512i words) {
  const __m512i magnitudes = is_signed ? _mm512_and_si512(words, _mm512_load_si512(tables.magnitude)) : words;
  __m512i buckets = _mm512_mulhi_epu16(_mm512_subs_epu16(magnitudes, _mm512_load_si512(tables.least_word)),
                                       _mm512_load_si512(tables.buckets_per_65536_words));
  // One half of the table for each sign.
  if constexpr (is_signed)
    buckets =
        _mm512_ternarylogic_epi32(buckets, _mm512_srli_epi16(words, 9), _mm512_load_si512(tables.half), 0xf8);
  return _mm512_permutex2var_epi8(_mm512_load_si512(tables.line_of), buckets,
                                  _mm512_load_si512(tables.line_of + 64));
}

/// The codes nearest to 64 numbers, by their factor to raised parts. False where one of them is so close to a
/// border, or is no number, that a line does not tell it.
template <bool is_signed>
HWY_INLINE bool encode_bytes(const RankTables& tables, const float* values, float factor,
                             std::uint8_t* into) {
  const __m512 by = _mm512_set1_ps(factor);
  __m512 z[4];
  for (int v = 0; v < 4; ++v) z[v] = _mm512_mul_ps(_mm512_load_ps(values + 16 * v), by);
  __m512i nearest = _mm512_setzero_si512();
  for (int pair = 0; pair < 4; pair += 2) {
    const __m512i lines = lines_of<is_signed>(tables, upper_words(tables, z[pair], z[pair + 1]));
    for (int v = 0; v < 2; ++v) {
      __m512& part = z[pair + v];
      const __m512i line = v == 0 ? lines : _mm512_srli_epi32(lines, 16);
      const auto of_line = [&](const float(&table)[32]) {
        return _mm512_permutex2var_ps(_mm512_load_ps(table), line, _mm512_load_ps(table + 16));
      };
      const __m512 on_line = _mm512_fmadd_ps(part, of_line(tables.slopes), of_line(tables.starts));
      // The first code stands for all below, and at its border the part itself overtakes the last line.
      if constexpr (is_signed) part = _mm512_max_ps(_mm512_set1_ps(place_of(0) + 0.5f), part);
      part = _mm512_max_ps(on_line, part);
      nearest = _mm512_max_epu16(nearest, _mm512_castps_si512(part));
    }
  }
  const __m512i codes =
      _mm512_inserti64x4(third_bytes(z[0], z[1]), _mm512_castsi512_si256(third_bytes(z[2], z[3])), 1);
  _mm512_storeu_si512(into, _mm512_sub_epi8(codes, _mm512_set1_epi8(1)));
  const __m512i limits =
      _mm512_set1_epi32(static_cast<int>((0x4400u << 16) | (0xffffu - RankTables::doubtful)));
  return HWY_LIKELY(_mm512_cmpgt_epu16_mask(nearest, limits) == 0);
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
