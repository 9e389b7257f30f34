#include "comm/codec/codec_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "comm/codec/codec_kernels.cpp"
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

template <typename In>
HWY_INLINE void quantise_in(const BlockFormat& format, const In* block, std::size_t count, float inverse,
                            std::uint8_t* numbers) {
  const std::size_t lanes = hn::Lanes(F());
  const VF factor = hn::Set(F(), inverse);
  std::size_t i = 0;
  // NaN times zero is not a number that can be stored, so the reference's zeros are left to it.
  if (inverse != 0.0f && format.bits == 8) {
    const hn::Rebind<std::int8_t, F> narrow_to;
    auto* out = reinterpret_cast<std::int8_t*>(numbers);
    for (; i + lanes <= count; i += lanes)
      hn::StoreU(hn::DemoteTo(narrow_to, hn::NearestInt(hn::Mul(load(block + i), factor))), narrow_to,
                 out + i);
  }
#if HWY_TARGET != HWY_SCALAR
  if (inverse != 0.0f && format.bits == 4) {
    const auto low = hn::Set(I(), 15);
    for (; i + 2 * lanes <= count; i += 2 * lanes) {
      const VF first = load(block + i), second = load(block + i + lanes);
      const auto even = hn::NearestInt(hn::Mul(hn::ConcatEven(F(), second, first), factor));
      const auto odd = hn::NearestInt(hn::Mul(hn::ConcatOdd(F(), second, first), factor));
      const auto pairs = hn::Or(hn::And(even, low), hn::ShiftLeft<4>(hn::And(odd, low)));
      hn::StoreU(hn::DemoteTo(Bytes(), pairs), Bytes(), numbers + i / 2);
    }
  }
#endif
  write_numbers(format, block + i, count - i, inverse, numbers + format.number_bytes(i), 0, 1);
}

HWY_INLINE void sum_bytes(const Encoded* operands, int parts, std::size_t begin, std::size_t block,
                          std::size_t count, float* out, std::size_t& i) {
  const hn::Rebind<std::int8_t, F> bytes;
  const std::size_t lanes = hn::Lanes(F());
  const auto term = [&](int part, std::size_t at) HWY_ATTR {
    const auto* numbers = reinterpret_cast<const std::int8_t*>(operands[part].numbers) + begin + at;
    return hn::Mul(hn::ConvertTo(F(), hn::PromoteTo(I(), hn::LoadU(bytes, numbers))),
                   hn::Set(F(), operands[part].scales[block]));
  };
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    VF first = term(0, i), second = term(0, i + lanes);
    for (int part = 1; part < parts; ++part) {
      first = hn::Add(first, term(part, i));
      second = hn::Add(second, term(part, i + lanes));
    }
    hn::StoreU(first, F(), out + i);
    hn::StoreU(second, F(), out + i + lanes);
  }
}

HWY_INLINE void sum_halves(const Encoded* operands, int parts, std::size_t begin, std::size_t block,
                           std::size_t count, float* out, std::size_t& i) {
  const std::size_t lanes = hn::Lanes(F());
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
    hn::StoreInterleaved2(even, odd, F(), out + i);
  }
}

HWY_INLINE VF finished(VF sum, VF divisor) {
  const VF result = hn::Div(sum, divisor);
  return hn::IfThenElse(hn::IsNaN(result), hn::BitCast(F(), hn::Set(U(), nan_bits)), result);
}

std::uint32_t LargestFloat(const float* block, std::size_t count) {
  return largest_in(block, count);
}
std::uint32_t LargestBrain(const std::uint16_t* block, std::size_t count) {
  return largest_in(block, count);
}

void QuantiseFloat(const BlockFormat& format, const float* block, std::size_t count, float inverse,
                   std::uint8_t* numbers) {
  quantise_in(format, block, count, inverse, numbers);
}
void QuantiseBrain(const BlockFormat& format, const std::uint16_t* block, std::size_t count, float inverse,
                   std::uint8_t* numbers) {
  quantise_in(format, block, count, inverse, numbers);
}

void Sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t begin, std::size_t count,
         float* out) {
  std::size_t i = 0;
  if (format.bits == 8)
    sum_bytes(operands, parts, begin, begin / format.block, count, out, i);
  else
    sum_halves(operands, parts, begin, begin / format.block, count, out, i);
  for (; i < count; ++i) out[i] = sum_at(format, Listed{operands}, parts, begin + i);
}

void FinishFloat(const float* sums, std::size_t count, float divisor, float* out) {
  const std::size_t lanes = hn::Lanes(F());
  const VF by = hn::Set(F(), divisor);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) hn::StoreU(finished(hn::LoadU(F(), sums + i), by), F(), out + i);
  for (; i < count; ++i) out[i] = finish_sum(sums[i], divisor);
}

void FinishBrain(const float* sums, std::size_t count, float divisor, std::uint16_t* out) {
  const std::size_t lanes = hn::Lanes(F());
  const VF by = hn::Set(F(), divisor);
  const auto half = hn::Set(U(), 0x7fffu), one = hn::Set(U(), 1u);
  std::size_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto bits = hn::BitCast(U(), finished(hn::LoadU(F(), sums + i), by));
    const auto odd = hn::And(hn::ShiftRight<16>(bits), one);
    const auto rounded = hn::ShiftRight<16>(hn::Add(bits, hn::Add(half, odd)));
    hn::StoreU(hn::DemoteTo(Words(), hn::BitCast(I(), rounded)), Words(), out + i);
  }
  for (; i < count; ++i) narrow(finish_sum(sums[i], divisor), out[i]);
}

}  // namespace trireme::comm::codec::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::comm::codec::kernels {

HWY_EXPORT(LargestFloat);
HWY_EXPORT(LargestBrain);
HWY_EXPORT(QuantiseFloat);
HWY_EXPORT(QuantiseBrain);
HWY_EXPORT(Sum);
HWY_EXPORT(FinishFloat);
HWY_EXPORT(FinishBrain);

std::uint32_t largest(const float* block, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(LargestFloat)(block, count);
}
std::uint32_t largest(const std::uint16_t* block, std::size_t count) {
  return HWY_DYNAMIC_DISPATCH(LargestBrain)(block, count);
}
void quantise(const BlockFormat& format, const float* block, std::size_t count, float inverse,
              std::uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(QuantiseFloat)(format, block, count, inverse, numbers);
}
void quantise(const BlockFormat& format, const std::uint16_t* block, std::size_t count, float inverse,
              std::uint8_t* numbers) {
  HWY_DYNAMIC_DISPATCH(QuantiseBrain)(format, block, count, inverse, numbers);
}
void sum(const BlockFormat& format, const Encoded* operands, int parts, std::size_t begin, std::size_t count,
         float* out) {
  HWY_DYNAMIC_DISPATCH(Sum)(format, operands, parts, begin, count, out);
}
void finish(const float* sums, std::size_t count, float divisor, float* out) {
  HWY_DYNAMIC_DISPATCH(FinishFloat)(sums, count, divisor, out);
}
void finish(const float* sums, std::size_t count, float divisor, std::uint16_t* out) {
  HWY_DYNAMIC_DISPATCH(FinishBrain)(sums, count, divisor, out);
}

}  // namespace trireme::comm::codec::kernels
#endif
