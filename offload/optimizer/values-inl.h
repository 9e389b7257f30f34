// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_VALUES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_VALUES_INL_H_
#undef TRIREME_OFFLOAD_VALUES_INL_H_
#else
#define TRIREME_OFFLOAD_VALUES_INL_H_
#endif

#include <type_traits>

#include <hwy/highway.h>

#include "comm/simd/lanes-inl.h"
#include "offload/optimizer/halves-inl.h"
#include "offload/optimizer/updated_values.h"
#include "offload/optimizer/word_pairs-inl.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

/// Two vectors of gradients.
template <typename Gradient>
HWY_INLINE void load_two(const Gradient* from, HalvesLanes::V& first, HalvesLanes::V& second) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  if constexpr (std::is_same_v<Gradient, BFloat16>) return WordPairs::load(from, first, second);
#endif
  const comm::simd::HWY_NAMESPACE::Lanes<Gradient> lanes;
  first = lanes.load(from), second = lanes.load(from + lanes.size());
}

/// What is read now and written soon; beyond the end of a run it does no harm.
template <typename T>
HWY_INLINE void prefetch_lines(T* from, std::int64_t count) {
  constexpr auto line = static_cast<std::int64_t>(64 / sizeof(T));
  for (std::int64_t i = 0; i < count; i += line) __builtin_prefetch(from + i, !std::is_const_v<T>);
}

/// scalar::value and scalar::put, a vector at a time. `Copy` void: none is written; Halves: the master is
/// kept as them.
template <typename Copy, bool streaming>
class Values {
 public:
  using F = HalvesLanes::F;
  using V = HalvesLanes::V;

  explicit HWY_INLINE Values(const UpdatedValues& run)
      : master_(run.master), copy_(static_cast<Written*>(run.copy)), lower_(run.lower) {}

  HWY_INLINE V load(std::int64_t i) const {
    if constexpr (in_halves) {
      return HalvesLanes::load(copy_ + i, lower_ + i);
    } else {
      return hn::LoadU(F(), master_ + i);
    }
  }
  HWY_INLINE void store(V value, std::int64_t i) const {
    if constexpr (std::is_same_v<Written, BFloat16>) value = HalvesLanes::splittable(value);
    if constexpr (in_halves) {
      HalvesLanes::store(value, copy_ + i, lower_ + i);
    } else {
      hn::StoreU(value, F(), master_ + i);
      if constexpr (!std::is_void_v<Copy>)
        comm::simd::HWY_NAMESPACE::Lanes<Copy>().template store<streaming>(value, copy_ + i);
    }
  }
  /// Of `count` values that are to be written soon.
  HWY_INLINE void prefetch(std::int64_t i, std::int64_t count) const {
    if constexpr (in_halves) {
      prefetch_lines(lower_ + i, count);
    } else {
      prefetch_lines(master_ + i, count);
    }
    if constexpr (!std::is_void_v<Copy>) prefetch_lines(copy_ + i, count);
  }
  HWY_INLINE void load_two(std::int64_t i, V& first, V& second) const {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    if constexpr (in_halves) return WordPairs::load(copy_ + i, lower_ + i, first, second);
#endif
    first = load(i), second = load(i + step());
  }
  HWY_INLINE void store_two(V first, V second, std::int64_t i) const {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    if constexpr (std::is_same_v<Written, BFloat16>) {
      WordPairs::Halved halves;
      if (WordPairs::halve(first, second, halves)) {
        if constexpr (in_halves) {
          _mm512_storeu_si512(lower_ + i, halves.lower);
        } else {
          hn::StoreU(first, F(), master_ + i), hn::StoreU(second, F(), master_ + i + step());
        }
        if constexpr (streaming) {
          _mm512_stream_si512(reinterpret_cast<__m512i*>(copy_ + i), halves.nearest);
        } else {
          _mm512_storeu_si512(copy_ + i, halves.nearest);
        }
        return;
      }
    }
#endif
    store(first, i), store(second, i + step());
  }

 private:
  static HWY_INLINE std::int64_t step() {
    return static_cast<std::int64_t>(hn::Lanes(F()));
  }
  static constexpr bool in_halves = std::is_same_v<Copy, Halves>;
  using Written = std::conditional_t<in_halves, BFloat16, Copy>;
  float* master_;
  Written* copy_;
  std::uint16_t* lower_;
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
