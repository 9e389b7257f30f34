#include "model/kernels/chunk_rows.h"

#include <cmath>

#include "core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "model/kernels/chunk_rows.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "model/kernels/exponentials-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::model::kernels::HWY_NAMESPACE {

template <typename T>
void add_row(const ChunkRows& rows, const ChunkSums& sums, std::int64_t row) {
  const T* logits = static_cast<const T*>(rows.logits) + row * rows.columns;
  const auto count = static_cast<std::size_t>(rows.columns);
  const float most = most_of(logits, count);
  const double here = static_cast<double>(most) + std::log(sum_of_exponentials(logits, count, most)),
               before = static_cast<double>(sums.sum_before[row]);
  sums.sum[row] =
      static_cast<float>(std::fmax(here, before) + std::log1p(std::exp(-std::fabs(here - before))));
  const std::int64_t label = rows.labels[row];
  sums.target[row] = label >= 0 && label < rows.columns ? hn::GetLane(load(Single(), logits + label))
                                                        : sums.target_before[row];
}

template <typename T>
void row_backward(const ChunkRows& rows, const ChunkGradients& gradients, std::int64_t row) {
  T* logits = static_cast<T*>(rows.logits) + row * rows.columns;
  const auto count = static_cast<std::size_t>(rows.columns);
  const float sum = gradients.sum[row], of_sum = gradients.of_sum[row];
  const std::int64_t label = rows.labels[row];
  const bool has_label = label >= 0 && label < rows.columns;
  const float at_label = has_label ? hn::GetLane(load(Single(), logits + label)) : 0;
  for_lanes(count, [&](auto tag, std::size_t i) HWY_ATTR {
    const auto share = hn::Exp(tag, hn::Sub(load(tag, logits + i), hn::Set(tag, sum)));
    store(tag, hn::Mul(share, hn::Set(tag, of_sum)), logits + i);
  });
  if (has_label)
    store(Single(), hn::Set(Single(), std::exp(at_label - sum) * of_sum + gradients.of_target[row]),
          logits + label);
}

void add_rows(const ChunkRows& rows, const ChunkSums& sums, std::int64_t first, std::int64_t count,
              DType dtype) {
  for (std::int64_t row = first; row < first + count; ++row)
    dtype == DType::f32 ? add_row<float>(rows, sums, row) : add_row<BFloat16>(rows, sums, row);
}

void rows_backward(const ChunkRows& rows, const ChunkGradients& gradients, std::int64_t first,
                   std::int64_t count, DType dtype) {
  for (std::int64_t row = first; row < first + count; ++row)
    dtype == DType::f32 ? row_backward<float>(rows, gradients, row)
                        : row_backward<BFloat16>(rows, gradients, row);
}

}  // namespace trireme::model::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::model::kernels {
HWY_EXPORT(add_rows);
HWY_EXPORT(rows_backward);

void add_chunk_rows(const ChunkRows& rows, const ChunkSums& sums, std::int64_t first, std::int64_t count,
                    DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no softmax of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(add_rows)(rows, sums, first, count, dtype);
}

void chunk_rows_backward(const ChunkRows& rows, const ChunkGradients& gradients, std::int64_t first,
                         std::int64_t count, DType dtype) {
  require(dtype == DType::f32 || dtype == DType::bf16, "no softmax of rows in {}", name_of(dtype));
  HWY_DYNAMIC_DISPATCH(rows_backward)(rows, gradients, first, count, dtype);
}

}  // namespace trireme::model::kernels
#endif
