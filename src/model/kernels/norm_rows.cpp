#include "model/kernels/norm_rows.h"

#include <cmath>

#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/norm_rows.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "model/kernels/for_lanes-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <typename T>
void forward_row(const NormForward& args, std::int64_t row) {
  const auto size = static_cast<std::size_t>(args.size);
  const std::int64_t at = row * args.size;
  const T* x = static_cast<const T*>(args.x) + at;
  T* out = static_cast<T*>(args.out) + at;
  if (args.residual) {
    const T* residual = static_cast<const T*>(args.residual) + at;
    T* sum = static_cast<T*>(args.sum) + at;
    for_lanes(size, [&](auto tag, std::size_t i) HWY_ATTR {
      store(tag, hn::Add(load(tag, x + i), load(tag, residual + i)), sum + i);
    });
    x = sum;
  }
  const float squares = sum_lanes(size, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto value = load(tag, x + i);
    return hn::Mul(value, value);
  });
  const float mean = squares / static_cast<float>(args.size);
  const float scale = 1.0f / std::sqrt(mean + static_cast<float>(args.epsilon));
  args.scale[row] = scale;
  for_lanes(size, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto normal = hn::Mul(load(tag, x + i), hn::Set(tag, scale));
    store(tag, hn::Mul(normal, hn::LoadU(tag, args.weight + i)), out + i);
  });
}

template <typename T>
void backward_row(const NormBackward& args, std::int64_t row) {
  const auto size = static_cast<std::size_t>(args.size);
  const std::int64_t at = row * args.size;
  const T* x = static_cast<const T*>(args.x) + at;
  const T* gradient = static_cast<const T*>(args.gradient) + at;
  const T* sum_gradient = args.sum_gradient ? static_cast<const T*>(args.sum_gradient) + at : nullptr;
  const float scale = args.scale[row];
  const float along = sum_lanes(size, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto normal = hn::Mul(load(tag, x + i), hn::Set(tag, scale));
    const auto each = hn::Mul(load(tag, gradient + i), normal);
    if (args.dw) hn::StoreU(hn::Add(hn::LoadU(tag, args.dw + i), each), tag, args.dw + i);
    return hn::Mul(each, hn::LoadU(tag, args.weight + i));
  });
  if (!args.dx) return;
  T* dx = static_cast<T*>(args.dx) + at;
  const float mean = along / static_cast<float>(args.size);
  for_lanes(size, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto normal = hn::Mul(load(tag, x + i), hn::Set(tag, scale));
    const auto weighted = hn::Mul(load(tag, gradient + i), hn::LoadU(tag, args.weight + i));
    auto result = hn::Mul(hn::Sub(weighted, hn::Mul(normal, hn::Set(tag, mean))), hn::Set(tag, scale));
    if (sum_gradient) result = hn::Add(result, load(tag, sum_gradient + i));
    store(tag, result, dx + i);
  });
}

void forward_rows(const NormForward& args, std::int64_t first, std::int64_t rows, DType dtype) {
  for (std::int64_t row = first; row < first + rows; ++row)
    dtype == DType::f32 ? forward_row<float>(args, row) : forward_row<BFloat16>(args, row);
}

void backward_rows(const NormBackward& args, std::int64_t first, std::int64_t rows, DType dtype) {
  for (std::int64_t row = first; row < first + rows; ++row)
    dtype == DType::f32 ? backward_row<float>(args, row) : backward_row<BFloat16>(args, row);
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(forward_rows);
HWY_EXPORT(backward_rows);

void norm_rows(const NormForward& args, std::int64_t first_row, std::int64_t rows, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no norm of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(forward_rows)(args, first_row, rows, dtype);
}

void norm_rows_backward(const NormBackward& args, std::int64_t first_row, std::int64_t rows, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no norm of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(backward_rows)(args, first_row, rows, dtype);
}

}  // namespace trireme::model::kernels
#endif
