// Included once for each target, so without the usual guard.
#if defined(TRIREME_MODEL_FOR_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_MODEL_FOR_LANES_INL_H_
#undef TRIREME_MODEL_FOR_LANES_INL_H_
#else
#define TRIREME_MODEL_FOR_LANES_INL_H_
#endif

#include <cstddef>

#include <hwy/highway.h>

#include "comm/simd/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Wide = hn::ScalableTag<float>;
using Single = hn::CappedTag<float, 1>;

template <typename T, class Tag>
HWY_INLINE hn::Vec<Tag> load(Tag, const T* from) {
  return comm::simd::HWY_NAMESPACE::Lanes<T, Tag>().load(from);
}
template <typename T, class Tag, class V>
HWY_INLINE void store(Tag, V value, T* to) {
  comm::simd::HWY_NAMESPACE::Lanes<T, Tag>().template store<false>(value, to);
}

/// Calls `body(tag, i)` for whole vectors from element 0 on and then for single elements.
template <class Body>
HWY_INLINE void for_lanes(std::size_t count, const Body& body) {
  const Wide wide;
  std::size_t i = 0;
  for (; i + hn::Lanes(wide) <= count; i += hn::Lanes(wide)) body(wide, i);
  for (; i < count; ++i) body(Single(), i);
}

/// The sum of what `body(tag, i)` gives.
template <class Body>
HWY_INLINE float sum_lanes(std::size_t count, const Body& body) {
  const Wide wide;
  const std::size_t n = hn::Lanes(wide);
  auto even = hn::Zero(wide), odd = hn::Zero(wide);
  std::size_t i = 0;
  for (; i + 2 * n <= count; i += 2 * n) {
    even = hn::Add(even, body(wide, i));
    odd = hn::Add(odd, body(wide, i + n));
  }
  for (; i + n <= count; i += n) even = hn::Add(even, body(wide, i));
  float sum = hn::GetLane(hn::SumOfLanes(wide, hn::Add(even, odd)));
  for (; i < count; ++i) sum += hn::GetLane(body(Single(), i));
  return sum;
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
