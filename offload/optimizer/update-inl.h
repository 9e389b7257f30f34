// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_UPDATE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_UPDATE_INL_H_
#undef TRIREME_OFFLOAD_UPDATE_INL_H_
#else
#define TRIREME_OFFLOAD_UPDATE_INL_H_
#endif

#include <hwy/highway.h>

#include "offload/optimizer/adamw.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// scalar::update, a vector at a time.
struct Update {
  using F = hn::ScalableTag<float>;
  using V = hn::Vec<F>;

  explicit HWY_INLINE Update(const AdamWFactors& f)
      : beta1(hn::Set(F(), f.beta1)),
        beta2(hn::Set(F(), f.beta2)),
        rest1(hn::Set(F(), f.rest1)),
        rest2(hn::Set(F(), f.rest2)),
        epsilon(hn::Set(F(), f.epsilon)),
        keep(hn::Set(F(), f.keep)),
        step_size(hn::Set(F(), f.step_size)),
        root_scale(hn::Set(F(), f.root_scale)),
        scale(hn::Set(F(), f.gradient_scale)) {}

  HWY_INLINE V operator()(V parameter, V gradient, V& mean, V& square) const {
    gradient = hn::Mul(gradient, scale);
    mean = hn::Add(hn::Mul(beta1, mean), hn::Mul(rest1, gradient));
    square = hn::Add(hn::Mul(beta2, square), hn::Mul(hn::Mul(rest2, gradient), gradient));
    const V denominator = hn::Add(hn::Mul(hn::Sqrt(square), root_scale), epsilon);
    return hn::Sub(hn::Mul(parameter, keep), hn::Mul(step_size, hn::Div(mean, denominator)));
  }

  V beta1, beta2, rest1, rest2, epsilon, keep, step_size, root_scale, scale;
};

/// scalar::moved_mean or scalar::moved_square of a block, a vector at a time.
template <bool is_mean>
class MovedMoment {
 public:
  using F = hn::ScalableTag<float>;
  using V = hn::Vec<F>;

  HWY_INLINE MovedMoment(const AdamWFactors& f, float scale)
      : keep_(hn::Set(F(), (is_mean ? f.beta1 : f.beta2) * scale)),
        gain_(hn::Set(F(), is_mean ? f.mean_gain : f.root_gain)) {}
  HWY_INLINE V operator()(V number, V gradient) const {
    const V added = hn::Mul(gradient, gain_);
    return is_mean ? hn::MulAdd(number, keep_, added) : hn::MulAdd(added, added, hn::Mul(number, keep_));
  }

 private:
  V keep_, gain_;
};

/// scalar::moved_value.
class MovedValue {
 public:
  using F = hn::ScalableTag<float>;
  using V = hn::Vec<F>;

  explicit HWY_INLINE MovedValue(const AdamWFactors& f)
      : epsilon_(hn::Set(F(), f.epsilon)),
        keep_(hn::Set(F(), f.keep)),
        step_size_(hn::Set(F(), f.step_size)),
        root_scale_(hn::Set(F(), f.root_scale)) {}
  HWY_INLINE V operator()(V value, V mean, V square) const {
    const V denominator = hn::MulAdd(hn::Sqrt(square), root_scale_, epsilon_);
    return hn::NegMulAdd(step_size_, hn::Div(mean, denominator), hn::Mul(value, keep_));
  }

 private:
  V epsilon_, keep_, step_size_, root_scale_;
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
