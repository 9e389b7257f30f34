#include "model/kernels/swiglu.h"

#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/swiglu.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include <hwy/contrib/math/math-inl.h>
#include "model/kernels/for_lanes-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <class Tag>
HWY_INLINE hn::Vec<Tag> sigmoid(Tag tag, hn::Vec<Tag> x) {
  const auto one = hn::Set(tag, 1.0f);
  // Made for arguments below 104; infinite from 89 on, as it should be.
  return hn::Div(one, hn::Add(one, hn::Exp(tag, hn::Min(hn::Neg(x), hn::Set(tag, 100.0f)))));
}

template <typename T>
void forward(const SwiGlu& args, std::int64_t first, std::int64_t count) {
  const T* gate = static_cast<const T*>(args.gate) + first;
  const T* up = static_cast<const T*>(args.up) + first;
  T* out = static_cast<T*>(args.out) + first;
  for_lanes(static_cast<std::size_t>(count), [&](auto tag, std::size_t i) HWY_ATTR {
    const auto x = load(tag, gate + i);
    store(tag, hn::Mul(hn::Mul(x, sigmoid(tag, x)), load(tag, up + i)), out + i);
  });
}

template <typename T>
void backward(const SwiGluBackward& args, std::int64_t first, std::int64_t count) {
  const T* gradient = static_cast<const T*>(args.gradient) + first;
  const T* gate = static_cast<const T*>(args.gate) + first;
  const T* up = static_cast<const T*>(args.up) + first;
  T* dgate = static_cast<T*>(args.dgate) + first;
  T* dup = static_cast<T*>(args.dup) + first;
  for_lanes(static_cast<std::size_t>(count), [&](auto tag, std::size_t i) HWY_ATTR {
    const auto one = hn::Set(tag, 1.0f);
    const auto x = load(tag, gate + i), g = load(tag, gradient + i), s = sigmoid(tag, x);
    const auto slope = hn::Mul(s, hn::MulAdd(x, hn::Sub(one, s), one));
    const auto u = load(tag, up + i);
    store(tag, hn::Mul(g, hn::Mul(x, s)), dup + i);
    store(tag, hn::Mul(hn::Mul(g, u), slope), dgate + i);
  });
}

void forward_all(const SwiGlu& args, std::int64_t first, std::int64_t count, DType dtype) {
  dtype == DType::f32 ? forward<float>(args, first, count) : forward<BFloat16>(args, first, count);
}
void backward_all(const SwiGluBackward& args, std::int64_t first, std::int64_t count, DType dtype) {
  dtype == DType::f32 ? backward<float>(args, first, count) : backward<BFloat16>(args, first, count);
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(forward_all);
HWY_EXPORT(backward_all);

void swiglu(const SwiGlu& args, std::int64_t first, std::int64_t count, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no SwiGLU in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(forward_all)(args, first, count, dtype);
}

void swiglu_backward(const SwiGluBackward& args, std::int64_t first, std::int64_t count, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no SwiGLU in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(backward_all)(args, first, count, dtype);
}

}  // namespace trireme::model::kernels
#endif
