#include "offload/optimizer/halves.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "offload/optimizer/halves.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "offload/optimizer/halves-inl.h"
// clang-format on
#include <hwy/cache_control.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

/// Whole vectors only; each returns how many elements those were.
constexpr HalvesLanes::F tag;

std::int64_t vectors_made_splittable(float* values, std::int64_t count) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  for (; i + step <= count; i += step)
    hn::StoreU(HalvesLanes::splittable(hn::LoadU(tag, values + i)), tag, values + i);
  return i;
}

std::int64_t vectors_split(const float* from, BFloat16* nearest, std::uint16_t* lower, std::int64_t count) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  for (; i + step <= count; i += step)
    HalvesLanes::store(HalvesLanes::splittable(hn::LoadU(tag, from + i)), nearest + i, lower + i);
  return i;
}

std::int64_t vectors_joined(const BFloat16* nearest, const std::uint16_t* lower, float* into,
                            std::int64_t count, bool streaming) {
  const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
  std::int64_t i = 0;
  if (streaming) {
    for (; i + step <= count; i += step) hn::Stream(HalvesLanes::load(nearest + i, lower + i), tag, into + i);
    hwy::FlushStream();
  } else {
    for (; i + step <= count; i += step) hn::StoreU(HalvesLanes::load(nearest + i, lower + i), tag, into + i);
  }
  return i;
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::offload {
HWY_EXPORT(vectors_made_splittable);
HWY_EXPORT(vectors_split);
HWY_EXPORT(vectors_joined);

namespace {

void join_by(const BFloat16* nearest, const std::uint16_t* lower, float* into, std::int64_t count,
             bool streaming) {
  std::int64_t i = HWY_DYNAMIC_DISPATCH(vectors_joined)(nearest, lower, into, count, streaming);
  for (; i < count; ++i) into[i] = joined({nearest[i], lower[i]});
}

}  // namespace

void make_splittable(float* values, std::int64_t count) {
  std::int64_t i = HWY_DYNAMIC_DISPATCH(vectors_made_splittable)(values, count);
  for (; i < count; ++i) values[i] = splittable(values[i]);
}

void split(const float* from, BFloat16* nearest, std::uint16_t* lower, std::int64_t count) {
  std::int64_t i = HWY_DYNAMIC_DISPATCH(vectors_split)(from, nearest, lower, count);
  for (; i < count; ++i) {
    const Halves halves = halves_of(splittable(from[i]));
    nearest[i] = halves.nearest, lower[i] = halves.lower;
  }
}

void join(const BFloat16* nearest, const std::uint16_t* lower, float* into, std::int64_t count) {
  join_by(nearest, lower, into, count, false);
}

void join_past_caches(const BFloat16* nearest, const std::uint16_t* lower, float* into, std::int64_t count) {
  constexpr std::uintptr_t vector_alignment = 64;
  join_by(nearest, lower, into, count, reinterpret_cast<std::uintptr_t>(into) % vector_alignment == 0);
}

}  // namespace trireme::offload
#endif
