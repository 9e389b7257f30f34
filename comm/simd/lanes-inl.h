// Included once for each target, so without the usual guard.
#if defined(TRIREME_COMM_SIMD_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TRIREME_COMM_SIMD_LANES_INL_H_
#undef TRIREME_COMM_SIMD_LANES_INL_H_
#else
#define TRIREME_COMM_SIMD_LANES_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <hwy/highway.h>

#include "core/dtype.h"

HWY_BEFORE_NAMESPACE();
namespace trireme::comm::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <typename T>
constexpr DType integer_dtype = std::is_same_v<T, std::int8_t>    ? DType::i8
                                : std::is_same_v<T, std::uint8_t> ? DType::u8
                                : std::is_same_v<T, std::int16_t> ? DType::i16
                                : std::is_same_v<T, std::int32_t> ? DType::i32
                                                                  : DType::i64;

/// Where the CPU does not convert fp16 itself, Highway cuts digits off and knows no infinities.
constexpr bool converts_f16 =
    HWY_ARCH_X86 ? HWY_TARGET <= HWY_AVX2 : HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;

template <typename T>
using SumTag =
    hn::ScalableTag<std::conditional_t<std::is_same_v<T, BFloat16> || std::is_same_v<T, Float16>, float, T>>;

/// Vectors of the type that T is added in, loaded from and stored as T; `Tag` says how many elements they
/// have.
template <typename T, class Tag = SumTag<T>>
struct Lanes {
  Tag tag;
  std::size_t size() const { return hn::Lanes(tag); }
  HWY_INLINE auto divisor(std::size_t ranks) const { return hn::Set(tag, static_cast<T>(ranks)); }
  HWY_INLINE auto load(const T* from) const { return hn::LoadU(tag, from); }
  template <bool streaming, class V>
  HWY_INLINE void store(V value, T* to) const {
    if constexpr (streaming) {
      hn::Stream(value, tag, to);
    } else {
      hn::StoreU(value, tag, to);
    }
  }
};

/// 16-bit values that are added as floats. On targets whose float vectors hold four of them, half a vector
/// cannot be streamed.
template <class Tag>
struct HalfLanes {
  Tag tag;
  hn::Rebind<std::uint32_t, Tag> words;
  hn::Rebind<std::uint16_t, Tag> halves;
  std::size_t size() const { return hn::Lanes(tag); }
  HWY_INLINE auto divisor(std::size_t ranks) const { return hn::Set(tag, static_cast<float>(ranks)); }
  template <bool streaming, class V>
  HWY_INLINE void put(V value, std::uint16_t* to) const {
    if constexpr (streaming && hn::MaxLanes(hn::Rebind<std::uint16_t, Tag>()) >= 8) {
      hn::Stream(value, halves, to);
    } else {
      hn::StoreU(value, halves, to);
    }
  }
};

template <class Tag>
struct Lanes<BFloat16, Tag> : HalfLanes<Tag> {
  using HalfLanes<Tag>::tag, HalfLanes<Tag>::words, HalfLanes<Tag>::halves;
  HWY_INLINE auto load(const BFloat16* from) const {
    return hn::BitCast(tag, hn::ShiftLeft<16>(hn::PromoteTo(words, hn::LoadU(halves, &from->bits))));
  }
  template <bool streaming, class V>
  HWY_INLINE void store(V value, BFloat16* to) const {
    const auto word = hn::BitCast(words, value), upper = hn::ShiftRight<16>(word);
    const auto even = hn::Add(hn::Set(words, 0x7fffu), hn::And(upper, hn::Set(words, 1u)));
    const auto rounded = hn::ShiftRight<16>(hn::Add(word, even));
    const auto magnitude =
        hn::BitCast(hn::RebindToSigned<decltype(words)>(), hn::And(word, hn::Set(words, 0x7fffffffu)));
    const auto nan =
        hn::RebindMask(words, hn::Gt(magnitude, hn::Set(hn::RebindToSigned<decltype(words)>(), 0x7f800000)));
    this->template put<streaming>(
        hn::TruncateTo(halves, hn::IfThenElse(nan, hn::Or(upper, hn::Set(words, 0x40u)), rounded)),
        &to->bits);
  }
};

template <class Tag>
struct Lanes<Float16, Tag> : HalfLanes<Tag> {
  using HalfLanes<Tag>::tag, HalfLanes<Tag>::halves;
  hn::Rebind<hwy::float16_t, Tag> floats;
  HWY_INLINE auto load(const Float16* from) const {
    return hn::PromoteTo(tag, hn::LoadU(floats, reinterpret_cast<const hwy::float16_t*>(from)));
  }
  template <bool streaming, class V>
  HWY_INLINE void store(V value, Float16* to) const {
    this->template put<streaming>(hn::BitCast(halves, hn::DemoteTo(floats, value)), &to->bits);
  }
};

}  // namespace trireme::comm::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
