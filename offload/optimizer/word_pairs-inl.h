// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_WORD_PAIRS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_WORD_PAIRS_INL_H_
#undef TRIREME_OFFLOAD_WORD_PAIRS_INL_H_
#else
#define TRIREME_OFFLOAD_WORD_PAIRS_INL_H_
#endif

#include <hwy/highway.h>

#include "core/dtype.h"
#include "offload/optimizer/halves.h"

#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
#include <immintrin.h>

// Two vectors of floats as their upper and lower halves, 32 words each: what is done to words, or to all of
// one half, is done to twice as many at once.
HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

struct WordPlaces {
  alignas(64) std::uint16_t upper[32], lower[32], first[32], second[32], first_alone[32], second_alone[32];

  constexpr WordPlaces() : upper{}, lower{}, first{}, second{}, first_alone{}, second_alone{} {
    for (std::uint16_t i = 0; i < 32; ++i) {
      const auto half = static_cast<std::uint16_t>(i / 2), whole = static_cast<std::uint16_t>(2 * i);
      const bool odd = i % 2 != 0;
      lower[i] = whole, upper[i] = static_cast<std::uint16_t>(whole + 1);
      first_alone[i] = half, second_alone[i] = static_cast<std::uint16_t>(16 + half);
      first[i] = static_cast<std::uint16_t>(half + (odd ? 32 : 0));
      second[i] = static_cast<std::uint16_t>(first[i] + 16);
    }
  }
};
inline constexpr WordPlaces word_places;

struct WordPairs {
  using V = hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::ScalableTag<float>>;

  static HWY_INLINE __m512i at(const std::uint16_t (&table)[32]) { return _mm512_load_si512(table); }
  /// Of lower and upper halves.
  static HWY_INLINE void join(__m512i lower, __m512i upper, V& first, V& second) {
    first = V{_mm512_castsi512_ps(_mm512_permutex2var_epi16(lower, at(word_places.first), upper))};
    second = V{_mm512_castsi512_ps(_mm512_permutex2var_epi16(lower, at(word_places.second), upper))};
  }
  static HWY_INLINE void load(const BFloat16* from, V& first, V& second) {
    constexpr __mmask32 odd = 0xaaaaaaaa;
    const __m512i words = _mm512_loadu_si512(from);
    first = V{_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(odd, at(word_places.first_alone), words))};
    second = V{_mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(odd, at(word_places.second_alone), words))};
  }
  /// `joined` of all.
  static HWY_INLINE void load(const BFloat16* nearest, const std::uint16_t* lower, V& first, V& second) {
    const __m512i words = _mm512_loadu_si512(lower);
    const __m512i upper = _mm512_add_epi16(_mm512_loadu_si512(nearest), _mm512_srai_epi16(words, 15));
    join(words, upper, first, second);
  }

  /// What the nearest bf16 values and the lower halves of splittable ones are.
  struct Halved {
    __m512i nearest, lower;
  };
  /// False where a value has to be moved to be splittable, or is not a number: one in thousands.
  static HWY_INLINE bool halve(V first, V second, Halved& into) {
    const __m512i a = _mm512_castps_si512(first.raw), b = _mm512_castps_si512(second.raw);
    const __m512i upper = _mm512_permutex2var_epi16(a, at(word_places.upper), b);
    into.lower = _mm512_permutex2var_epi16(a, at(word_places.lower), b);
    into.nearest = _mm512_sub_epi16(upper, _mm512_srai_epi16(into.lower, 15));
    const __mmask32 middle =
        _mm512_cmpeq_epi16_mask(into.lower, _mm512_set1_epi16(static_cast<short>(0x8000)));
    const __mmask32 between = _mm512_mask_testn_epi16_mask(middle, upper, _mm512_set1_epi16(1));
    const __mmask16 no_number = _mm512_cmp_ps_mask(first.raw, second.raw, _CMP_UNORD_Q);
    return HWY_LIKELY((between | no_number) == 0);
  }
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif
