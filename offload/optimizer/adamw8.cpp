// Besides Highway's usual targets the one with byte permutations (Ice Lake, Zen 4).
#define HWY_WANT_AVX3_DL
#include "offload/optimizer/adamw8.h"

#include "core/error.h"
#include "offload/optimizer/dynamic_codes.h"
#include "offload/optimizer/scalar.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "offload/optimizer/adamw8.cpp"
// The loop over targets must come before what it compiles once for each.
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "comm/simd/lanes-inl.h"
#include "offload/optimizer/byte_codes-inl.h"
#include "offload/optimizer/update-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {
namespace lanes = comm::simd::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;
using Bytes = hn::Rebind<std::uint8_t, F>;
using V = hn::Vec<F>;

/// Nothing that must not happen to numbers happens to an address: not-a-number ends in the last bucket.
template <bool is_signed>
HWY_INLINE void encode(V part, const std::uint32_t* entries, std::uint8_t* into) {
  const auto bits = hn::BitCast(I(), hn::Abs(part));
  const auto first = hn::Set(I(), static_cast<std::int32_t>(CodeFinder::first_bucket));
  const auto last = hn::Set(I(), static_cast<std::int32_t>(CodeFinder::buckets - 1));
  const auto bucket = hn::Sub(hn::ShiftRight<CodeFinder::bucket_shift>(bits), first);
  const auto tiny = hn::Lt(bucket, hn::Zero(I()));
  const auto place = hn::Min(hn::Max(bucket, hn::Zero(I())), last);
  const auto entry = hn::GatherIndex(I(), reinterpret_cast<const std::int32_t*>(entries), place);
  const auto within = hn::And(bits, hn::Set(I(), 0xffff));
  const auto more = hn::VecFromMask(I(), hn::Not(hn::Lt(within, hn::ShiftRight<8>(entry))));
  auto rank = hn::Sub(hn::And(entry, hn::Set(I(), 0xff)), more);
  rank = hn::IfThenZeroElse(tiny, rank);
  if constexpr (is_signed) {
    const auto zero = hn::Set(I(), CodeFinder::signed_zero);
    const auto down = hn::Sub(zero, hn::Min(rank, hn::Set(I(), CodeFinder::most_negative)));
    rank = hn::IfThenElse(hn::RebindMask(I(), hn::Lt(part, hn::Zero(F()))), down, hn::Add(zero, rank));
  }
  hn::StoreU(hn::DemoteTo(Bytes(), rank), Bytes(), into);
}

HWY_INLINE V decode(const float* codes, const std::uint8_t* from, V scale) {
  return hn::Mul(hn::GatherIndex(F(), codes, hn::PromoteTo(I(), hn::LoadU(Bytes(), from))), scale);
}

/// Writes new codes for a block of values and gives their scale.
template <bool is_signed>
HWY_INLINE void encode_block(const float* values, float scale, [[maybe_unused]] const std::uint32_t* entries,
                             std::uint8_t* into) {
  const V inverse = hn::Set(F(), scalar::inverse_scale(scale));
#if HWY_TARGET == HWY_AVX3_DL
  for (std::int64_t i = 0; i < state_block; i += coded_at_once)
    encode_bytes<is_signed>(rank_tables(is_signed), values + i, inverse.raw, into + i);
#else
  const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
  for (std::int64_t i = 0; i < state_block; i += step)
    encode<is_signed>(hn::Mul(hn::Load(F(), values + i), inverse), entries, into + i);
#endif
}

/// The numbers of a block of codes.
template <bool is_signed>
HWY_INLINE void decode_block(const std::uint8_t* from, float scale, [[maybe_unused]] const float* codes,
                             float* into) {
  const V factor = hn::Set(F(), scale);
#if HWY_TARGET == HWY_AVX3_DL
  for (std::int64_t i = 0; i < state_block; i += coded_at_once) {
    __m512 numbers[4];
    decode_bytes<is_signed>(rank_tables(is_signed), from + i, numbers);
    for (int v = 0; v < 4; ++v) _mm512_store_ps(into + i + 16 * v, _mm512_mul_ps(numbers[v], factor.raw));
  }
#else
  const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
  for (std::int64_t i = 0; i < state_block; i += step)
    hn::Store(decode(codes, from + i, factor), F(), into + i);
#endif
}

template <typename Copy>
HWY_INLINE void write_copy(V value, const AdamW8Run& run, std::int64_t at) {
  if constexpr (!std::is_void_v<Copy>)
    lanes::Lanes<Copy>().template store<false>(value, static_cast<Copy*>(run.copy) + at);
}

/// `Copy` void: none is written.
template <typename Gradient, typename Copy>
void whole_blocks(const AdamWFactors& factors, const AdamW8Run& run, const CodeTables& tables,
                  std::int64_t blocks) {
  const F tag;
  const Update update(factors);
  const lanes::Lanes<Gradient> gradients;
  const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
  const auto* gradient = static_cast<const Gradient*>(run.gradient);
  HWY_ALIGN float means[state_block];
  HWY_ALIGN float squares[state_block];
  for (std::int64_t block = 0; block < blocks; ++block) {
    const std::int64_t first = block * state_block;
    decode_block<true>(run.mean + first, run.mean_scale[block], tables.mean_codes, means);
    decode_block<false>(run.square + first, run.square_scale[block], tables.square_codes, squares);
    V mean_most = hn::Zero(tag), square_most = hn::Zero(tag);
    for (std::int64_t i = 0; i < state_block; i += step) {
      const std::int64_t at = first + i;
      V mean = hn::Load(tag, means + i), square = hn::Load(tag, squares + i);
      const V value = update(hn::LoadU(tag, run.master + at), gradients.load(gradient + at), mean, square);
      hn::StoreU(value, tag, run.master + at);
      write_copy<Copy>(value, run, at);
      hn::Store(mean, tag, means + i);
      hn::Store(square, tag, squares + i);
      mean_most = hn::Max(mean_most, hn::Abs(mean));
      square_most = hn::Max(square_most, hn::Abs(square));
    }
    run.mean_scale[block] = hn::GetLane(hn::MaxOfLanes(tag, mean_most));
    run.square_scale[block] = hn::GetLane(hn::MaxOfLanes(tag, square_most));
    encode_block<true>(means, run.mean_scale[block], tables.mean_entries, run.mean + first);
    encode_block<false>(squares, run.square_scale[block], tables.square_entries, run.square + first);
  }
}

template <typename Gradient>
void whole_blocks_from(const AdamWFactors& factors, const AdamW8Run& run, const CodeTables& tables,
                       std::int64_t blocks) {
  if (!run.copy) return whole_blocks<Gradient, void>(factors, run, tables, blocks);
  if (run.copy_type == DType::bf16) return whole_blocks<Gradient, BFloat16>(factors, run, tables, blocks);
  if (run.copy_type == DType::f16) return whole_blocks<Gradient, Float16>(factors, run, tables, blocks);
  whole_blocks<Gradient, float>(factors, run, tables, blocks);
}

void adamw8_all(const AdamWFactors& factors, const AdamW8Run& run, const CodeTables& tables) {
  const bool halves = run.gradient_type == DType::f16 || (run.copy && run.copy_type == DType::f16);
  if (halves && !lanes::converts_f16) return reference::adamw8(factors, run);
  const std::int64_t blocks = run.count / state_block;
  if (run.gradient_type == DType::bf16) {
    whole_blocks_from<BFloat16>(factors, run, tables, blocks);
  } else if (run.gradient_type == DType::f16) {
    whole_blocks_from<Float16>(factors, run, tables, blocks);
  } else {
    whole_blocks_from<float>(factors, run, tables, blocks);
  }
  const std::int64_t done = blocks * state_block;
  if (done == run.count) return;
  const auto after = [done](auto* data, std::size_t size) {
    using Byte = std::conditional_t<std::is_const_v<std::remove_pointer_t<decltype(data)>>, const std::byte,
                                    std::byte>;
    return data
               ? static_cast<decltype(data)>(static_cast<Byte*>(data) + static_cast<std::size_t>(done) * size)
               : data;
  };
  AdamW8Run rest = run;
  rest.master += done, rest.mean += done, rest.square += done;
  rest.gradient = after(run.gradient, size_of(run.gradient_type));
  rest.copy = after(run.copy, size_of(run.copy_type));
  rest.mean_scale += blocks, rest.square_scale += blocks;
  rest.count -= done;
  reference::adamw8(factors, rest);
}

}  // namespace trireme::offload::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace trireme::offload {
HWY_EXPORT(adamw8_all);

namespace {

bool is_float(DType type) {
  return type == DType::f32 || type == DType::bf16 || type == DType::f16;
}

}  // namespace

void adamw8(const AdamWFactors& factors, const AdamW8Run& run) {
  require(is_float(run.gradient_type) && (!run.copy || is_float(run.copy_type)),
          "an update from {} gradients to {} parameters", name_of(run.gradient_type), name_of(run.copy_type));
  const CodeTables tables{dynamic_codes(true).data(), dynamic_codes(false).data(),
                          code_finder(true).entries(), code_finder(false).entries()};
  HWY_DYNAMIC_DISPATCH(adamw8_all)(factors, run, tables);
}

}  // namespace trireme::offload
#endif
