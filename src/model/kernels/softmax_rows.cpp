#include "model/kernels/softmax_rows.h"

#include <cmath>

#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/softmax_rows.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "model/kernels/exponentials-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <typename T>
void loss_row(const SoftmaxLoss& args, std::int64_t row) {
  T* logits = static_cast<T*>(args.logits) + row * args.vocabulary;
  const auto count = static_cast<std::size_t>(args.vocabulary);
  const std::int64_t label = args.labels[row];
  if (label < 0) {
    args.losses[row] = 0;
    if (args.gradients) std::fill(logits, logits + count, T{});
    return;
  }
  const float most = most_of(logits, count);
  const double log_sum = std::log(sum_of_exponentials(logits, count, most));
  const float at_label = hn::GetLane(load(Single(), logits + label));
  args.losses[row] = log_sum + (static_cast<double>(most) - static_cast<double>(at_label));
  if (!args.gradients) return;
  const float normalizer = most + static_cast<float>(log_sum);
  for_lanes(count, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto share = hn::Exp(tag, hn::Sub(load(tag, logits + i), hn::Set(tag, normalizer)));
    store(tag, hn::Mul(share, hn::Set(tag, args.weight)), logits + i);
  });
  const float share = std::exp(at_label - normalizer);
  store(Single(), hn::Set(Single(), (share - 1.0f) * args.weight), logits + label);
}

void loss_rows(const SoftmaxLoss& args, std::int64_t first, std::int64_t rows, DType dtype) {
  for (std::int64_t row = first; row < first + rows; ++row)
    dtype == DType::f32 ? loss_row<float>(args, row) : loss_row<BFloat16>(args, row);
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(loss_rows);

void softmax_loss_rows(const SoftmaxLoss& args, std::int64_t first_row, std::int64_t rows, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no softmax of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(loss_rows)(args, first_row, rows, dtype);
}

}  // namespace trireme::model::kernels
#endif
