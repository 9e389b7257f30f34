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
// bytes is four registers, and no element is looked up in memory. Two times 64 share what is read of a table.
HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

/// Exchanges rows and columns of the sixteen groups of four bytes: in order, or so that the bytes of four
/// vectors of floats lie where packing and unpacking within 128 bits puts them.
HWY_INLINE __m512i turned(__m512i bytes) {
  const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_epi32(places, bytes);
}

constexpr int groups = 2, vectors = 4 * groups;

/// A byte of what each of the places' numbers is.
template <bool is_signed>
HWY_INLINE void look_up(const std::uint8_t (&table)[256], const __m512i (&places)[groups],
                        const __mmask64 (&upper_half)[groups], __m512i (&into)[groups]) {
  const __m512i first = _mm512_load_si512(table), second = _mm512_load_si512(table + 64);
  for (int g = 0; g < groups; ++g) into[g] = _mm512_permutex2var_epi8(first, places[g], second);
  if constexpr (is_signed) return;
  const __m512i third = _mm512_load_si512(table + 128), fourth = _mm512_load_si512(table + 192);
  for (int g = 0; g < groups; ++g)
    into[g] =
        _mm512_mask_mov_epi8(into[g], upper_half[g], _mm512_permutex2var_epi8(third, places[g], fourth));
}

/// Four vectors from the bytes of each, lowest first.
HWY_INLINE void join(const __m512i (&bytes)[4][groups], int group, __m512i* into) {
  const __m512i low0 = _mm512_unpacklo_epi8(bytes[0][group], bytes[1][group]),
                low1 = _mm512_unpacklo_epi8(bytes[2][group], bytes[3][group]);
  const __m512i high0 = _mm512_unpackhi_epi8(bytes[0][group], bytes[1][group]),
                high1 = _mm512_unpackhi_epi8(bytes[2][group], bytes[3][group]);
  into[0] = _mm512_unpacklo_epi16(low0, low1), into[1] = _mm512_unpackhi_epi16(low0, low1);
  into[2] = _mm512_unpacklo_epi16(high0, high1), into[3] = _mm512_unpackhi_epi16(high0, high1);
}

template <bool is_signed>
HWY_INLINE void look_up_all(const std::uint8_t (&table)[4][256], const __m512i (&places)[groups],
                            __m512i (&bytes)[4][groups]) {
  __mmask64 upper_half[groups]{};
  if constexpr (!is_signed)
    for (int g = 0; g < groups; ++g) upper_half[g] = _mm512_movepi8_mask(places[g]);
  for (int byte = 0; byte < 4; ++byte) look_up<is_signed>(table[byte], places, upper_half, bytes[byte]);
}

/// The numbers of codes.
template <bool is_signed>
HWY_INLINE void decode_bytes(const RankTables& tables, const std::uint8_t* from, __m512i (&into)[vectors]) {
  __m512i places[groups], bytes[4][groups];
  for (int g = 0; g < groups; ++g) places[g] = turned(_mm512_loadu_si512(from + 64 * g));
  if constexpr (!is_signed) {
    look_up_all<false>(tables.numbers, places, bytes);
  } else {
    const __m512i zero = _mm512_set1_epi8(127), sign = _mm512_set1_epi8(static_cast<char>(0x80));
    __m512i ranks[groups];
    for (int g = 0; g < groups; ++g) ranks[g] = _mm512_abs_epi8(_mm512_sub_epi8(places[g], zero));
    look_up_all<true>(tables.numbers, ranks, bytes);
    for (int g = 0; g < groups; ++g) {
      // The rank of 1 has an eighth bit, which the permutation ignores: it finds zero.
      const __mmask64 one = _mm512_movepi8_mask(ranks[g]);
      bytes[2][g] = _mm512_mask_mov_epi8(bytes[2][g], one, sign);
      bytes[3][g] = _mm512_mask_mov_epi8(bytes[3][g], one, _mm512_set1_epi8(0x3f));
      bytes[3][g] =
          _mm512_mask_add_epi8(bytes[3][g], _mm512_cmplt_epu8_mask(places[g], zero), bytes[3][g], sign);
    }
  }
  for (int g = 0; g < groups; ++g) join(bytes, g, into + 4 * g);
}

/// The ranks of 64 parts of a scale, or one less, in 256ths: `words` are the upper halves of 32 magnitudes.
HWY_INLINE __m512i estimated(const RankTables& tables, __m512i words) {
  const auto least = static_cast<short>(RankTables::least_word);
  const auto span = static_cast<short>(RankTables::greatest_word - RankTables::least_word);
  // As whole numbers, so that not-a-number becomes the last code as everywhere else.
  const __m512i above =
      _mm512_min_epu16(_mm512_subs_epu16(words, _mm512_set1_epi16(least)), _mm512_set1_epi16(span));
  const __m512i binade = _mm512_srli_epi16(above, 7), fraction = _mm512_slli_epi16(above, 9);
  const auto of_binade = [&](const std::uint16_t(&table)[32]) {
    return _mm512_permutexvar_epi16(binade, _mm512_load_si512(table));
  };
  const __m512i rank =
      _mm512_add_epi16(_mm512_mulhi_epu16(fraction, of_binade(tables.rises)), of_binade(tables.starts));
  const __m512i fifth = _mm512_mulhi_epu16(rank, _mm512_set1_epi16(65536 / 5));
  return _mm512_min_epu16(rank, _mm512_add_epi16(fifth, of_binade(tables.nexts)));
}

/// The upper bytes of 64 words, in the order of `turned`.
struct UpperBytes {
  alignas(64) std::uint8_t places[64];

  constexpr UpperBytes() : places{} {
    for (int lane = 0; lane < 4; ++lane)
      for (int v = 0; v < 4; ++v)
        for (int i = 0; i < 4; ++i)
          places[16 * lane + 4 * v + i] = static_cast<std::uint8_t>(2 * (16 * v + 4 * lane + i) + 1);
  }
  HWY_INLINE __m512i operator()(__m512i lower, __m512i upper) const {
    return _mm512_permutex2var_epi8(lower, _mm512_load_si512(places), upper);
  }
};
inline constexpr UpperBytes upper_bytes;

struct UpperWords {
  alignas(64) std::uint16_t places[32];

  constexpr UpperWords() : places{} {
    for (int i = 0; i < 32; ++i) places[i] = static_cast<std::uint16_t>(2 * i + 1);
  }
  HWY_INLINE __m512i operator()(__m512 lower, __m512 upper) const {
    return _mm512_permutex2var_epi16(_mm512_castps_si512(lower), _mm512_load_si512(places),
                                     _mm512_castps_si512(upper));
  }
};
inline constexpr UpperWords upper_words;

/// What is known of codes: their ranks, or one less, and which are negative.
struct Estimate {
  __m512i ranks[groups];
  __mmask64 negative[groups];
};

/// Makes `values` the magnitudes of their parts of a scale, by its inverse, and estimates their ranks.
template <bool is_signed>
HWY_INLINE void estimate_bytes(const RankTables& tables, __m512 inverse, float* values, Estimate& into) {
  __m512i words[vectors / 2], estimates[vectors / 2];
  for (int pair = 0; pair < vectors / 2; ++pair) {
    __m512 parts[2];
    for (int v = 0; v < 2; ++v) {
      float* const at = values + 32 * pair + 16 * v;
      parts[v] = _mm512_mul_ps(_mm512_load_ps(at), inverse);
      _mm512_store_ps(at, is_signed ? _mm512_abs_ps(parts[v]) : parts[v]);
    }
    words[pair] = upper_words(parts[0], parts[1]);
  }
  for (int pair = 0; pair < vectors / 2; ++pair)
    estimates[pair] =
        estimated(tables, is_signed ? _mm512_and_si512(words[pair], _mm512_set1_epi16(0x7fff)) : words[pair]);
  for (int g = 0; g < groups; ++g) {
    into.ranks[g] = upper_bytes(estimates[2 * g], estimates[2 * g + 1]);
    // Not-a-number is the one whose upper byte can be 255, and counts as positive.
    if constexpr (is_signed)
      into.negative[g] =
          _mm512_cmplt_epi8_mask(upper_bytes(words[2 * g], words[2 * g + 1]), _mm512_set1_epi8(-1));
  }
}

/// The codes nearest to numbers, from the magnitudes of their parts and what was estimated.
template <bool is_signed>
HWY_INLINE void encode_bytes(const RankTables& tables, const float* parts, const Estimate& estimate,
                             std::uint8_t* into) {
  __m512i bytes[4][groups];
  look_up_all<is_signed>(tables.lasts, estimate.ranks, bytes);
  for (int g = 0; g < groups; ++g) {
    __m512i left[4];
    join(bytes, g, left);
    for (int v = 0; v < 4; ++v)
      left[v] = _mm512_sub_epi32(left[v], _mm512_load_si512(parts + 64 * g + 16 * v));
    // Packing keeps signs.
    const __mmask64 beyond = _mm512_movepi8_mask(
        _mm512_packs_epi16(_mm512_packs_epi32(left[0], left[1]), _mm512_packs_epi32(left[2], left[3])));
    __m512i codes = _mm512_mask_add_epi8(estimate.ranks[g], beyond, estimate.ranks[g], _mm512_set1_epi8(1));
    if constexpr (is_signed) {
      const __m512i zero = _mm512_set1_epi8(127);
      // The rank of -1, which has no code, falls below zero and becomes zero, its neighbour.
      codes = _mm512_mask_subs_epu8(_mm512_add_epi8(zero, codes), estimate.negative[g], zero, codes);
    }
    _mm512_storeu_si512(into + 64 * g, turned(codes));
  }
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
