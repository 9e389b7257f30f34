#include "model/kernels/rotate_rows.h"

#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/rotate_rows.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "model/kernels/for_lanes-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <typename T>
void rotate_row(const Rotation& args, std::int64_t row) {
  const std::int64_t half = args.head_size / 2, angles = args.positions[row] * half;
  const T* x = static_cast<const T*>(args.x) + row * args.stride;
  T* out = static_cast<T*>(args.out) + row * args.heads * args.head_size;
  for (std::int64_t head = 0; head < args.heads; ++head, x += args.head_size, out += args.head_size)
    for_lanes(static_cast<std::size_t>(half), [&](auto tag, std::size_t i) HWY_ATTR {
      const auto cosine = hn::LoadU(tag, args.cosine + angles + i);
      const auto sine = hn::Mul(hn::LoadU(tag, args.sine + angles + i), hn::Set(tag, args.direction));
      const auto first = load(tag, x + i), second = load(tag, x + half + i);
      store(tag, hn::Sub(hn::Mul(first, cosine), hn::Mul(second, sine)), out + i);
      store(tag, hn::Add(hn::Mul(second, cosine), hn::Mul(first, sine)), out + half + i);
    });
}

void rotate_all(const Rotation& args, std::int64_t first, std::int64_t rows, DType dtype) {
  for (std::int64_t row = first; row < first + rows; ++row)
    dtype == DType::f32 ? rotate_row<float>(args, row) : rotate_row<BFloat16>(args, row);
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(rotate_all);

void rotate_rows(const Rotation& args, std::int64_t first_row, std::int64_t rows, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no rotation of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(rotate_all)(args, first_row, rows, dtype);
}

}  // namespace trireme::model::kernels
#endif
