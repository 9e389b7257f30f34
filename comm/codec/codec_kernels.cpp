#include "comm/codec/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "comm/codec/codec_kernels.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace trireme::comm::codec::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;
using Bytes = hn::Rebind<std::uint8_t, F>;
using Words = hn::Rebind<std::uint16_t, F>;
using VF = hn::Vec<F>;

HWY_INLINE VF load(const float* from) {
  return hn::LoadU(F(), from);
}
HWY_INLINE VF load(const std::uint16_t* from) {
  return hn::BitCast(F(), hn::ShiftLeft<16>(hn::PromoteTo(U(), hn::LoadU(Words(), from))));
}

template <typename In>
HWY_INLINE std::uint32_t largest_in(const In* block, std::size_t count) {
  const std::size_t lanes = hn::Lanes(F());
  const auto sign_off = hn::Set(U(), 0x7fffffffu);
  auto first = hn::Zero(U()), second = hn::Zero(U());
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    first = hn::Max(first, hn::And(hn::BitCast(U(), load(block + i)), sign_off));
    second = hn::Max(second, hn::And(hn::BitCast(U(), load(block + i + lanes)), sign_off));
  }
  const std::uint32_t whole = hn::GetLane(hn::MaxOfLanes(U(), hn::Max(first, second)));
  const std::uint32_t rest = largest_of_thread(block + i, count - i, 0, 1);
  return whole > rest ? whole : rest;
}

/// finish_sum, with a product where the divisor is a power of two, which gives the same bits.
class Finish {
 public:
  explicit HWY_INLINE Finish(float divisor)
      : by_(hn::Set(F(), is_power_of_two(divisor) ? 1.0f / divisor : divisor)),
        divides_(!is_power_of_two(divisor)) {}
  HWY_INLINE VF operator()(VF sum) const {
    const VF result = divides_ ? hn::Div(sum, by_) : hn::Mul(sum, by_);
    return hn::IfThenElse(hn::IsNaN(result), hn::BitCast(F(), hn::Set(U(), nan_bits)), result);
  }

 private:
  static bool is_power_of_two(float divisor) {
    return divisor >= 1.0f && (bits_of(divisor) & 0x7fffffu) == 0 && divisor < 0x1p126f;
  }
  VF by_;
  bool divides_;
};

#if HWY_TARGET == HWY_SCALAR
template <typename In>
std::size_t quantise_vectors(const BlockFormat&, const In*, std::size_t, float, std::uint8_t*) {
  return 0;
}
template <typename Finished, typename Out>
std::size_t sum_vectors(const BlockFormat&, const Encoded*, int, std::size_t, std::size_t, Finished, Out*) {
  return 0;
}
#else
using Halves = hn::Repartition<std::uint16_t, F>;
using SignedHalves = hn::RebindToSigned<Halves>;

/// Numbers of at most 127 with their magnitude in a half's low bits. Adding 1.5 * 2^23 leaves no bits for a
/// fraction, so the sum is rounded to nearest, ties to even.
template <typename In>
HWY_INLINE auto rounded_halves(const In* from, VF factor) {
  const auto rounded = [&](const In* at) HWY_ATTR {
    return hn::BitCast(Halves(), hn::Add(hn::Mul(load(at), factor), hn::Set(F(), 12582912.0f)));
  };
  return hn::ConcatEven(Halves(), rounded(from + hn::Lanes(F())), rounded(from));
}

/// Quantises as far as whole vectors go, and tells how far. `inverse` is not zero.
template <typename In>
HWY_INLINE std::size_t quantise_vectors(const BlockFormat& format, const In* block, std::size_t count,
                                        float inverse, std::uint8_t* numbers) {
  const std::size_t halves = hn::Lanes(Halves());
  const VF factor = hn::Set(F(), inverse);
  std::size_t i = 0;
  if (format.bits == 8) {
    const hn::Rebind<std::int8_t, Halves> narrow_to;
    auto* out = reinterpret_cast<std::int8_t*>(numbers);
    for (; i + halves <= count; i += halves) {
      const auto wide = hn::BitCast(SignedHalves(), rounded_halves(block + i, factor));
      hn::StoreU(hn::DemoteTo(narrow_to, wide), narrow_to, out + i);
    }
    return i;
  }
  const auto low = hn::Set(U(), 0x0fu), high = hn::Set(U(), 0xf0u);
  const auto pairs = [&](const In* from) HWY_ATTR {
    const auto two = hn::BitCast(U(), rounded_halves(from, factor));
    return hn::BitCast(Halves(), hn::Or(hn::And(two, low), hn::And(hn::ShiftRight<12>(two), high)));
  };
  const hn::Rebind<std::uint8_t, Halves> narrow_to;
  for (; i + 2 * halves <= count; i += 2 * halves) {
    const auto bytes = hn::ConcatEven(Halves(), pairs(block + i + halves), pairs(block + i));
    hn::StoreU(hn::DemoteTo(narrow_to, hn::BitCast(SignedHalves(), bytes)), narrow_to, numbers + i / 2);
  }
  return i;
}

HWY_INLINE void put(VF first, VF second, float* out) {
  hn::StoreU(first, F(), out);
  hn::StoreU(second, F(), out + hn::Lanes(F()));
}
HWY_INLINE void put_by_turns(VF even, VF odd, float* out) {
  hn::StoreInterleaved2(even, odd, F(), out);
}

/// In the upper half of each lane; no lane is NaN but nan_bits.
HWY_INLINE hn::Vec<U> to_brain(VF value) {
  const auto bits = hn::BitCast(U(), value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(U(), 1u));
  return hn::Add(bits, hn::Add(odd, hn::Set(U(), 0x7fffu)));
}
HWY_INLINE void put(VF first, VF second, std::uint16_t* out) {
  const auto upper = [](VF value) HWY_ATTR { return hn::BitCast(Halves(), to_brain(value)); };
  hn::StoreU(hn::ConcatOdd(Halves(), upper(second), upper(first)), Halves(), out);
}
HWY_INLINE void put_by_turns(VF even, VF odd, std::uint16_t* out) {
  const auto pairs =
      hn::Or(hn::ShiftRight<16>(to_brain(even)), hn::And(to_brain(odd), hn::Set(U(), 0xffff0000u)));
  hn::StoreU(hn::BitCast(Halves(), pairs), Halves(), out);
}

/// Sums the elements [begin, begin + count) of one block as far as whole vectors go, and tells how far.
template <typename Finished, typename Out>
HWY_INLINE std::size_t sum_bytes(const Encoded* operands, int parts, std::size_t begin, std::size_t block,
                                 std::size_t count, Finished finished, Out* out) {
  const hn::Rebind<std::int8_t, F> bytes;
  const std::size_t lanes = hn::Lanes(F());
  const auto term = [&](int part, std::size_t at) HWY_ATTR {
    const auto* numbers = reinterpret_cast<const std::int8_t*>(operands[part].numbers) + begin + at;
    return hn::Mul(hn::ConvertTo(F(), hn::PromoteTo(I(), hn::LoadU(bytes, numbers))),
                   hn::Set(F(), operands[part].scales[block]));
  };
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    VF first = term(0, i), second = term(0, i + lanes);
    for (int part = 1; part < parts; ++part) {
      first = hn::Add(first, term(part, i));
      second = hn::Add(second, term(part, i + lanes));
    }
    put(finished(first), finished(second), out + i);
  }
  return i;
}

template <typename Finished, typename Out>
HWY_INLINE std::size_t sum_halves(const Encoded* operands, int parts, std::size_t begin, std::size_t block,
                                  std::size_t count, Finished finished, Out* out) {
  const std::size_t lanes = hn::Lanes(F());
  std::size_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    VF even = hn::Zero(F()), odd = even;
    for (int part = 0; part < parts; ++part) {
      const auto pairs = hn::PromoteTo(I(), hn::LoadU(Bytes(), operands[part].numbers + (begin + i) / 2));
      const VF scale = hn::Set(F(), operands[part].scales[block]);
      const VF low = hn::Mul(hn::ConvertTo(F(), hn::ShiftRight<28>(hn::ShiftLeft<28>(pairs))), scale);
      const VF high = hn::Mul(hn::ConvertTo(F(), hn::ShiftRight<28>(hn::ShiftLeft<24>(pairs))), scale);
      even = part == 0 ? low : hn::Add(even, low);
      odd = part == 0 ? high : hn::Add(odd, high);
    }
    put_by_turns(finished(even), finished(odd), out + i);
  }
  return i;
}

template <typename Finished, typename Out>
HWY_INLINE std::size_t sum_vectors(const BlockFormat& format, const Encoded* operands, int parts,
                                   std::size_t begin, std::size_t count, Finished finished, Out* out) {
  const std::size_t block = begin / format.block;
  return format.bits == 8 ? sum_bytes(operands, parts, begin, block, count, finished, out)
                          : sum_halves(operands, parts, begin, block, count, finished, out);
}

#endif

/// So far ahead of what is encoded memory is asked for; gradients come from beyond the caches.
constexpr std::size_t bytes_ahead = 4096;

template <typename In>
HWY_INLINE void call_ahead(const In* block, std::size_t count) {
  constexpr std::size_t line = 64 / sizeof(In);
  for (std::size_t i = 0; i < count; i += line) hwy::Prefetch(block + i + bytes_ahead / sizeof(In));
}

template <typename In>
HWY_INLINE void encode_in(const BlockFormat& format, const In* in, std::size_t count, float* scales,
                          std::uint8_t* numbers) {
  for (std::size_t at = 0; at < count; at += format.block) {
    const In* block = in + at;
    const std::size_t length = HWY_MIN(count - at, format.block);
    call_ahead(block, length);
    const Scale scale = scale_of(largest_in(block, length), format.levels());
    *scales++ = scale.scale;
    // NaN times zero is not a number that can be stored, so the reference's zeros are left to it.
    const std::size_t done = scale.inverse == 0.0f ? 0
                                                   : quantise_vectors(format, block, length, scale.inverse,
                                                                      numbers + format.number_bytes(at));
    write_numbers(format, block + done, length - done, scale.inverse,
                  numbers + format.number_bytes(at + done), 0, 1);
  }
}

/// Sums that are neither divided nor have their NaNs made equal.
struct AsTheyAre {
  HWY_INLINE VF operator()(VF sum) const { return sum; }
};

/// The elements [begin, begin + count), which lie in one block; `begin` is even.
template <typename Finished, typename Out>
HWY_INLINE void sum_in_block(const BlockFormat& format, const Encoded* operands, int parts, std::size_t begin,
                             std::size_t count, Finished finished, float divisor, Out* out) {
  std::size_t i = sum_vectors(format, operands, parts, begin, count, finished, out);
  for (; i < count; ++i)
    narrow(finish_sum(sum_at(format, Listed{operands}, parts, begin + i), divisor), out[i]);
}

template <typename Finished, typename Out>
HWY_INLINE void sum_range(const BlockFormat& format, const Encoded* operands, int parts, std::size_t begin,
                          std::size_t end, Finished finished, float divisor, Out* out) {
  while (begin < end) {
    const std::size_t stop = HWY_MIN(end, (begin / format.block + 1) * format.block);
    sum_in_block(format, operands, parts, begin, stop - begin, finished, divisor, out);
    out += stop - begin;
    begin = stop;
  }
}

void EncodeFloat(const BlockFormat& format, const float* in, std::size_t count, float* scales,
                 std::uint8_t* numbers) {
  encode_in(format, in, count, scales, numbers);
}
void EncodeBrain(const BlockFormat& format, const std::uint16_t* in, std::size_t count, float* scales,
                 std::uint8_t* numbers) {
  encode_in(format, in, count, scales, numbers);
}

void DecodeFloat(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                 float divisor, float* out) {
  sum_range(format, operands, parts, 0, count, Finish(divisor), divisor, out);
}
void DecodeBrain(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                 float divisor, std::uint16_t* out) {
  sum_range(format, operands, parts, 0, count, Finish(divisor), divisor, out);
}

void Recode(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
            const BlockFormat& out_format, float* sums, float* scales, std::uint8_t* numbers) {
  for (std::size_t at = 0; at < count; at += out_format.block) {
    const std::size_t length = HWY_MIN(count - at, out_format.block);
    sum_range(format, operands, parts, at, at + length, AsTheyAre(), 1.0f, sums);
    encode_in(out_format, sums, length, scales++, numbers + out_format.number_bytes(at));
  }
}

}  // namespace trireme::comm::codec::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::comm::codec::kernels {

HWY_EXPORT(EncodeFloat);
HWY_EXPORT(EncodeBrain);
HWY_EXPORT(DecodeFloat);
HWY_EXPORT(DecodeBrain);
HWY_EXPORT(Recode);

void encode(const BlockFormat& format, const float* in, std::size_t count, float* scales,
            std::uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(EncodeFloat)(format, in, count, scales, numbers);
}
void encode(const BlockFormat& format, const std::uint16_t* in, std::size_t count, float* scales,
            std::uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(EncodeBrain)(format, in, count, scales, numbers);
}
void decode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                float divisor, float* out) {
  HWY_DYNAMIC_DISPATCH(DecodeFloat)(format, operands, parts, count, divisor, out);
}
void decode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                float divisor, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(DecodeBrain)(format, operands, parts, count, divisor, out);
}
void recode_sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t count,
                const BlockFormat& out_format, float* sums, float* scales, std::uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(Recode)(format, operands, parts, count, out_format, sums, scales, numbers);
}

}  // namespace trireme::comm::codec::kernels
#endif
