#include "offload/optimizer/adamw.h"

#include "core/error.h"
#include "offload/optimizer/scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "offload/optimizer/adamw.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "comm/simd/lanes-inl.h"
#include "offload/optimizer/update-inl.h"
#include "offload/optimizer/values-inl.h"
// clang-format on
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {
namespace lanes = comm::simd::HWY_NAMESPACE;

template <typename Gradient, typename Copy, bool streaming>
void adamw_as(const AdamWFactors& factors, const AdamWRun& run) {
  const Update::F tag;
  const Update update(factors);
  const Values<Copy, streaming> values(run);
  const auto* gradient = static_cast<const Gradient*>(run.gradient);
  const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  for (; i + 2 * step <= run.count; i += 2 * step) {
    Update::V gradients[2], new_values[2];
    load_two(gradient + i, gradients[0], gradients[1]);
    values.load_two(i, new_values[0], new_values[1]);
    for (std::int64_t v = 0; v < 2; ++v) {
      const std::int64_t at = i + v * step;
      auto mean = hn::LoadU(tag, run.mean + at), square = hn::LoadU(tag, run.square + at);
      new_values[v] = update(new_values[v], gradients[v], mean, square);
      hn::StoreU(mean, tag, run.mean + at);
      hn::StoreU(square, tag, run.square + at);
    }
    values.store_two(new_values[0], new_values[1], i);
  }
  if constexpr (streaming) hwy::FlushStream();
  for (; i < run.count; ++i)
    scalar::put(run, i,
                scalar::update(factors, scalar::value(run, i),
                               scalar::load(run.gradient, run.gradient_type, i), run.mean[i], run.square[i]));
}

template <typename Gradient>
void adamw_from(const AdamWFactors& factors, const AdamWRun& run, bool streaming) {
  // Its lines are in the caches for their values.
  if (run.lower) return adamw_as<Gradient, Halves, false>(factors, run);
  if (!run.copy) return adamw_as<Gradient, void, false>(factors, run);
  if (run.copy_type == DType::f32) return adamw_as<Gradient, float, false>(factors, run);
  if (run.copy_type == DType::bf16)
    return streaming ? adamw_as<Gradient, BFloat16, true>(factors, run)
                     : adamw_as<Gradient, BFloat16, false>(factors, run);
  return streaming ? adamw_as<Gradient, Float16, true>(factors, run)
                   : adamw_as<Gradient, Float16, false>(factors, run);
}

void adamw_all(const AdamWFactors& factors, const AdamWRun& run, bool streaming) {
  const bool halves = run.gradient_type == DType::f16 || (run.copy && run.copy_type == DType::f16);
  if (halves && !lanes::converts_f16) return reference::adamw(factors, run);
  if (run.gradient_type == DType::bf16) return adamw_from<BFloat16>(factors, run, streaming);
  if (run.gradient_type == DType::f16) return adamw_from<Float16>(factors, run, streaming);
  adamw_from<float>(factors, run, streaming);
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::offload {
HWY_EXPORT(adamw_all);

namespace {

/// Below, a copy is better left in the caches; streaming stores want whole vectors' addresses.
constexpr std::int64_t streamed_elements = 1 << 20;
constexpr std::size_t vector_alignment = 64;

bool is_float(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f16;
}

}  // namespace

void adamw(const AdamWFactors& factors, const AdamWRun& run) {
  require(is_float(run.gradient_type) && (!run.copy || is_float(run.copy_type)) &&
              (!run.lower || (run.copy && run.copy_type == DType::bf16)),
          "an update from {} gradients to {} parameters", name_of(run.gradient_type), name_of(run.copy_type));
  const bool aligned = reinterpret_cast<std::uintptr_t>(run.copy) % vector_alignment == 0;
  HWY_DYNAMIC_DISPATCH(adamw_all)(factors, run, aligned && run.count >= streamed_elements);
}

}  // namespace trireme::offload
#endif
