#include "offload/bench/traffic.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "offload/bench/traffic.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "comm/simd/lanes-inl.h"
// clang-format on
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace lanes = comm::simd::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;

HWY_INLINE void add_to(float* values, std::int64_t i, hn::Vec<F> what) {
  hn::StoreU(hn::Add(hn::LoadU(F(), values + i), what), F(), values + i);
}

HWY_INLINE void add_one(std::uint16_t* halves) {
  const hn::Rebind<std::uint16_t, F> tag;
  hn::StoreU(hn::Add(hn::LoadU(tag, halves), hn::Set(tag, std::uint16_t{1})), tag, halves);
}

template <typename Gradient>
void traffic_from(const AdamWRun& run, bool streaming) {
  const lanes::Lanes<Gradient> gradients;
  const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
  for (std::int64_t i = 0; i + step <= run.count; i += step) {
    const auto gradient = gradients.load(static_cast<const Gradient*>(run.gradient) + i);
    add_to(run.mean, i, gradient), add_to(run.square, i, gradient);
    if (run.lower) {
      add_one(static_cast<std::uint16_t*>(run.copy) + i), add_one(run.lower + i);
      continue;
    }
    const auto value = hn::Add(hn::LoadU(F(), run.master + i), gradient);
    hn::StoreU(value, F(), run.master + i);
    if (!run.copy) continue;
    auto* copy = static_cast<BFloat16*>(run.copy) + i;
    streaming ? lanes::Lanes<BFloat16>().store<true>(value, copy)
              : lanes::Lanes<BFloat16>().store<false>(value, copy);
  }
  if (streaming) hwy::FlushStream();
}

void traffic(const AdamWRun& run, bool streaming) {
  run.gradient_type == DType::bf16 ? traffic_from<BFloat16>(run, streaming)
                                   : traffic_from<float>(run, streaming);
}

template <typename Gradient>
void traffic8_from(const AdamW8Run& run) {
  const hn::ScalableTag<std::uint8_t> bytes;
  const lanes::Lanes<Gradient> gradients;
  const auto step = static_cast<std::int64_t>(hn::Lanes(bytes)),
             floats = static_cast<std::int64_t>(hn::Lanes(F()));
  auto sum = hn::Zero(F());
  for (std::int64_t i = 0; i + step <= run.count; i += step) {
    for (std::int64_t k = i; k < i + step; k += floats) {
      const auto gradient = gradients.load(static_cast<const Gradient*>(run.gradient) + k);
      if (run.lower) {
        sum = hn::Add(sum, gradient);
        add_one(static_cast<std::uint16_t*>(run.copy) + k), add_one(run.lower + k);
      } else {
        add_to(run.master, k, gradient);
      }
    }
    for (std::uint8_t* states : {run.mean + i, run.square + i})
      hn::StoreU(hn::Add(hn::LoadU(bytes, states), hn::Set(bytes, std::uint8_t{1})), bytes, states);
  }
  // Or the gradients would not be read at all.
  run.mean_scale[0] += hn::GetLane(hn::SumOfLanes(F(), hn::Mul(sum, hn::Zero(F()))));
}

void traffic8(const AdamW8Run& run) {
  run.gradient_type == DType::bf16 ? traffic8_from<BFloat16>(run) : traffic8_from<float>(run);
}

}  // namespace trireme::offload::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::offload::bench {
HWY_EXPORT(traffic);
HWY_EXPORT(traffic8);

void adamw_traffic(const AdamWRun& run) {
  constexpr std::size_t vector_alignment = 64;
  const bool aligned = run.copy && reinterpret_cast<std::uintptr_t>(run.copy) % vector_alignment == 0;
  HWY_DYNAMIC_DISPATCH(traffic)(run, aligned);
}

void adamw8_traffic(const AdamW8Run& run) {
  HWY_DYNAMIC_DISPATCH(traffic8)(run);
}

}  // namespace trireme::offload::bench
#endif
