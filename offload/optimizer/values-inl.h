// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_VALUES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_VALUES_INL_H_
#undef TRIREME_OFFLOAD_VALUES_INL_H_
#else
#define TRIREME_OFFLOAD_VALUES_INL_H_
#endif

#include <type_traits>

#include <hwy/highway.h>

#include "comm/simd/lanes-inl.h"
#include "offload/optimizer/halves-inl.h"
#include "offload/optimizer/updated_values.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {

/// scalar::value and scalar::put, a vector at a time. `Copy` void: none is written; Halves: the master is
/// kept as them.
template <typename Copy, bool streaming>
class Values {
 public:
  using F = HalvesLanes::F;
  using V = HalvesLanes::V;

  explicit HWY_INLINE Values(const UpdatedValues& run)
      : master_(run.master), copy_(static_cast<Written*>(run.copy)), lower_(run.lower) {}

  HWY_INLINE V load(std::int64_t i) const {
    if constexpr (in_halves) {
      return HalvesLanes::load(copy_ + i, lower_ + i);
    } else {
      return hn::LoadU(F(), master_ + i);
    }
  }
  HWY_INLINE void store(V value, std::int64_t i) const {
    if constexpr (std::is_same_v<Written, BFloat16>) value = HalvesLanes::splittable(value);
    if constexpr (in_halves) {
      HalvesLanes::store(value, copy_ + i, lower_ + i);
    } else {
      hn::StoreU(value, F(), master_ + i);
      if constexpr (!std::is_void_v<Copy>)
        comm::simd::HWY_NAMESPACE::Lanes<Copy>().template store<streaming>(value, copy_ + i);
    }
  }

 private:
  static constexpr bool in_halves = std::is_same_v<Copy, Halves>;
  using Written = std::conditional_t<in_halves, BFloat16, Copy>;
  float* master_;
  Written* copy_;
  std::uint16_t* lower_;
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
