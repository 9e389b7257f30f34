// Included once for each target, so without the usual guard.
#if defined(TRIREME_OFFLOAD_HALVES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_OFFLOAD_HALVES_INL_H_
#undef TRIREME_OFFLOAD_HALVES_INL_H_
#else
#define TRIREME_OFFLOAD_HALVES_INL_H_
#endif

#include <hwy/highway.h>

#include "offload/optimizer/halves.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// `splittable`, `halves_of` and `joined`, a vector at a time.
struct HalvesLanes {
  using F = hn::ScalableTag<float>;
  using V = hn::Vec<F>;
  using Words = hn::RebindToUnsigned<F>;
  using Integers = hn::RebindToSigned<F>;
  using Uppers = hn::Rebind<std::uint16_t, F>;
  using Lowers = hn::Rebind<std::int16_t, F>;

  static HWY_INLINE V splittable(V value) {
    const auto word = hn::BitCast(Words(), value);
    const auto between = hn::Eq(hn::And(word, hn::Set(Words(), 0x1ffffu)), hn::Set(Words(), 0x8000u));
    const auto moved = hn::Add(word, hn::VecFromMask(Words(), between));
    const auto quiet = hn::Or(hn::And(word, hn::Set(Words(), 0xffff0000u)), hn::Set(Words(), 0x00400000u));
    const auto nan = hn::RebindMask(Words(), hn::IsNaN(value));
    return hn::BitCast(F(), hn::IfThenElse(nan, quiet, moved));
  }
  static HWY_INLINE V load(const BFloat16* nearest, const std::uint16_t* lower) {
    const auto upper = hn::ShiftLeft<16>(hn::PromoteTo(Words(), hn::LoadU(Uppers(), &nearest->bits)));
    const auto carried =
        hn::PromoteTo(Integers(), hn::LoadU(Lowers(), reinterpret_cast<const std::int16_t*>(lower)));
    return hn::BitCast(F(), hn::Add(upper, hn::BitCast(Words(), carried)));
  }
  /// Of splittable values.
  static HWY_INLINE void store(V value, BFloat16* nearest, std::uint16_t* lower) {
    const auto word = hn::BitCast(Words(), value);
    const auto rounded = hn::ShiftRight<16>(hn::Add(word, hn::Set(Words(), 0x8000u)));
    hn::StoreU(hn::TruncateTo(Uppers(), rounded), Uppers(), &nearest->bits);
    hn::StoreU(hn::TruncateTo(Uppers(), word), Uppers(), lower);
  }
};

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
