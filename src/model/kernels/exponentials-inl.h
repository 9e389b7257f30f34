// Included once for each target, so without the usual guard.
#if defined(TRIREME_MODEL_EXPONENTIALS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_MODEL_EXPONENTIALS_INL_H_
#undef TRIREME_MODEL_EXPONENTIALS_INL_H_
#else
#define TRIREME_MODEL_EXPONENTIALS_INL_H_
#endif

#include <cmath>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include "model/kernels/for_lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <typename T>
float most_of(const T* row, std::size_t count) {
  const Wide wide;
  auto most = hn::Set(wide, hn::GetLane(load(Single(), row)));
  std::size_t i = 0;
  for (; i + hn::Lanes(wide) <= count; i += hn::Lanes(wide)) most = hn::Max(most, load(wide, row + i));
  float result = hn::GetLane(hn::MaxOfLanes(wide, most));
  for (; i < count; ++i) result = std::fmax(result, hn::GetLane(load(Single(), row + i)));
  return result;
}

/// Many terms of one sign: added in blocks, so that the last are not lost beside the first.
template <typename T>
double sum_of_exponentials(const T* row, std::size_t count, float most) {
  constexpr std::size_t block = 4096;
  double sum = 0;
  for (std::size_t begin = 0; begin < count; begin += block)
    sum += static_cast<double>(
        sum_lanes(count - begin < block ? count - begin : block, [&](auto tag, std::size_t i) HWY_ATTR {
          return hn::Exp(tag, hn::Sub(load(tag, row + begin + i), hn::Set(tag, most)));
        }));
  return sum;
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
