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

/// Four vectors from the bytes of each, lowest first.
HWY_INLINE void join(const __m512i (&bytes)[4], __m512i (&into)[4]) {
  const __m512i low0 = _mm512_unpacklo_epi8(bytes[0], bytes[1]),
                low1 = _mm512_unpacklo_epi8(bytes[2], bytes[3]);
  const __m512i high0 = _mm512_unpackhi_epi8(bytes[0], bytes[1]),
                high1 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
  into[0] = _mm512_unpacklo_epi16(low0, low1), into[1] = _mm512_unpackhi_epi16(low0, low1);
  into[2] = _mm512_unpacklo_epi16(high0, high1), into[3] = _mm512_unpackhi_epi16(high0, high1);
}

/// The numbers of all codes, in registers.
template <bool is_signed>
class NumberBytes {
 public:
  explicit HWY_INLINE NumberBytes(const RankTables& tables) {
    for (int byte = 0; byte < 4; ++byte)
      for (int part = 0; part < parts; ++part)
        table_[byte][part] = _mm512_load_si512(tables.numbers[byte] + 64 * part);
  }
  /// The numbers of 64 codes.
  HWY_INLINE void decode(const std::uint8_t* from, __m512i (&into)[4]) const {
    const __m512i codes = turned(_mm512_loadu_si512(from));
    __m512i bytes[4];
    if constexpr (is_signed) {
      // The rank of 1 has an eighth bit, which the permutation ignores: it shares a place with that of zero.
      const __m512i zero = _mm512_set1_epi8(127), sign = _mm512_set1_epi8(static_cast<char>(0x80));
      const __m512i ranks = _mm512_abs_epi8(_mm512_sub_epi8(codes, zero));
      const __mmask64 some = _mm512_cmpneq_epu8_mask(codes, zero);
      for (int byte = 0; byte < 4; ++byte)
        bytes[byte] = _mm512_maskz_permutex2var_epi8(some, table_[byte][0], ranks, table_[byte][1]);
      bytes[3] = _mm512_mask_add_epi8(bytes[3], _mm512_cmplt_epu8_mask(codes, zero), bytes[3], sign);
    } else {
      const __mmask64 upper = _mm512_movepi8_mask(codes);
      for (int byte = 0; byte < 4; ++byte) {
        const auto& table = table_[byte];
        bytes[byte] = _mm512_mask_mov_epi8(_mm512_permutex2var_epi8(table[0], codes, table[1]), upper,
                                           _mm512_permutex2var_epi8(table[2], codes, table[3]));
      }
    }
    join(bytes, into);
  }

 private:
  static constexpr int parts = is_signed ? 2 : 4;
  __m512i table_[4][parts];
};

/// The third bytes of the floats of two vectors, in the lower half.
struct ThirdBytes {
  alignas(64) std::uint8_t places[64];

  constexpr ThirdBytes() : places{} {
    for (int i = 0; i < 32; ++i) places[i] = static_cast<std::uint8_t>(4 * i + 2);
  }
};
inline constexpr ThirdBytes third_bytes;

/// The lines that codes lie on, in registers, for states of one scale.
template <bool is_signed>
class CodeLines {
 public:
  HWY_INLINE CodeLines(const RankTables& tables, float inverse_scale)
      : raise_(_mm512_set1_ps(inverse_scale * tables.raised)),
        uppers_by_turns_(_mm512_load_si512(tables.uppers_by_turns)),
        third_bytes_(_mm512_load_si512(third_bytes.places)),
        magnitude_(_mm512_load_si512(tables.magnitude)),
        least_word_(_mm512_load_si512(tables.least_word)),
        rate_(_mm512_load_si512(tables.buckets_per_65536_words)),
        half_(_mm512_load_si512(tables.half)) {
    for (int part = 0; part < 2; ++part) {
      line_of_[part] = _mm512_load_si512(tables.line_of + 64 * part);
      slopes_[part] = _mm512_load_ps(tables.slopes + 16 * part);
      starts_[part] = _mm512_load_ps(tables.starts + 16 * part);
    }
  }

  /// Writes the codes nearest to 64 states. False where one of them is so close to a border, or is no number,
  /// that a line does not tell it.
  HWY_INLINE bool encode(const float* values, std::uint8_t* into) const {
    __m512 z[4];
    for (int v = 0; v < 4; ++v) z[v] = _mm512_mul_ps(_mm512_load_ps(values + 16 * v), raise_);
    for (int pair = 0; pair < 4; pair += 2) {
      const __m512i words = _mm512_permutex2var_epi16(_mm512_castps_si512(z[pair]), uppers_by_turns_,
                                                      _mm512_castps_si512(z[pair + 1]));
      const __m512i lines = _mm512_permutex2var_epi8(line_of_[0], buckets_of(words), line_of_[1]);
      put_on(lines, z[pair]), put_on(_mm512_srli_epi32(lines, 16), z[pair + 1]);
    }
    const __m512i codes =
        _mm512_inserti64x4(codes_of(z[0], z[1]), _mm512_castsi512_si256(codes_of(z[2], z[3])), 1);
    _mm512_storeu_si512(into, _mm512_sub_epi8(codes, _mm512_set1_epi8(1)));
    const __m512i nearest = _mm512_max_epu16(greater(z[0], z[1]), greater(z[2], z[3]));
    const __m512i limits =
        _mm512_set1_epi32(static_cast<int>((0x4400u << 16) | (0xffffu - RankTables::doubtful)));
    return _mm512_cmpgt_epu16_mask(nearest, limits) == 0;
  }

 private:
  /// Of the upper words of raised parts.
  HWY_INLINE __m512i buckets_of(__m512i words) const {
    const __m512i magnitudes = is_signed ? _mm512_and_si512(words, magnitude_) : words;
    const __m512i buckets = _mm512_mulhi_epu16(_mm512_subs_epu16(magnitudes, least_word_), rate_);
    // One half of the table for each sign.
    return is_signed ? _mm512_ternarylogic_epi32(buckets, _mm512_srli_epi16(words, 9), half_, 0xf8) : buckets;
  }
  HWY_INLINE void put_on(__m512i lines, __m512& part) const {
    const __m512 slope = _mm512_permutex2var_ps(slopes_[0], lines, slopes_[1]),
                 start = _mm512_permutex2var_ps(starts_[0], lines, starts_[1]);
    const __m512 on_line = _mm512_fmadd_ps(part, slope, start);
    // The first code stands for all below, and at its border the part itself overtakes the last line.
    if constexpr (is_signed) part = _mm512_max_ps(_mm512_set1_ps(place_of(0) + 0.5f), part);
    part = _mm512_max_ps(on_line, part);
  }
  HWY_INLINE __m512i codes_of(__m512 first, __m512 second) const {
    return _mm512_permutex2var_epi8(_mm512_castps_si512(first), third_bytes_, _mm512_castps_si512(second));
  }
  static HWY_INLINE __m512i greater(__m512 first, __m512 second) {
    return _mm512_max_epu16(_mm512_castps_si512(first), _mm512_castps_si512(second));
  }

  __m512 raise_, slopes_[2], starts_[2];
  __m512i uppers_by_turns_, third_bytes_, magnitude_, least_word_, rate_, half_, line_of_[2];
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
