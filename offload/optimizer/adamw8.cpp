// Besides Highway's usual targets the one with byte permutations (Ice Lake, Zen 4).
#define HWY_WANT_AVX3_DL
#include "offload/optimizer/adamw8.h"

#include <bit>

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
#include "offload/optimizer/values-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace trireme::offload::HWY_NAMESPACE {
namespace lanes = comm::simd::HWY_NAMESPACE;

using F = hn::ScalableTag<float>;
using I = hn::RebindToSigned<F>;
using U = hn::RebindToUnsigned<F>;
using Bytes = hn::Rebind<std::uint8_t, F>;
using V = hn::Vec<F>;

struct Tables {
  CodeTables codes;
  const RankTables &mean_ranks, &square_ranks;
};

/// Codes are read and written so many at a time.
constexpr std::int64_t chunk = 64;
/// So many elements ahead memory is asked for what is read: the CPU by itself stops at the ends of pages.
constexpr std::int64_t ahead = 768;

/// The numbers of codes, as parts of their scale.
template <bool is_signed>
class Numbers {
 public:
#if HWY_TARGET == HWY_AVX3_DL
  explicit HWY_INLINE Numbers(const Tables& tables)
      : bytes_(is_signed ? tables.mean_ranks : tables.square_ranks) {}
  HWY_INLINE void read(const std::uint8_t* from) {
    bytes_.decode(from, numbers_);
  }
  /// Of the chunk that was read last.
  HWY_INLINE V at(std::int64_t place) const {
    return V{_mm512_castsi512_ps(numbers_[place / 16])};
  }

 private:
  NumberBytes<is_signed> bytes_;
  __m512i numbers_[chunk / 16];
#else
  explicit HWY_INLINE Numbers(const Tables& tables)
      : numbers_(is_signed ? tables.codes.mean_codes : tables.codes.square_codes) {}
  HWY_INLINE void read(const std::uint8_t* from) {
    from_ = from;
  }
  HWY_INLINE V at(std::int64_t place) const {
    return hn::GatherIndex(F(), numbers_, hn::PromoteTo(I(), hn::LoadU(Bytes(), from_ + place)));
  }

 private:
  const float* numbers_;
  const std::uint8_t* from_ = nullptr;
#endif
};

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

/// The new moments of one kind of a block on their way to codes.
template <bool is_signed>
class Moments {
 public:
  HWY_INLINE float* at(std::int64_t place) { return values_ + place; }
  HWY_INLINE const float* at(std::int64_t place) const { return values_ + place; }
  /// Of their block.
  HWY_INLINE void set_scale(float scale) { inverse_ = scalar::inverse_scale(scale); }

  /// Writes the codes, and calls `beside` with each chunk's place on the way.
  template <typename Beside>
  HWY_INLINE void encode(const Tables& tables, std::uint8_t* into, const Beside& beside) const {
#if HWY_TARGET == HWY_AVX3_DL
    const CodeLines<is_signed> lines(is_signed ? tables.mean_ranks : tables.square_ranks, inverse_);
    unsigned doubtful = 0;
#pragma GCC unroll 1
    for (std::int64_t place = 0; place < state_block; place += chunk) {
      beside(place);
      doubtful |= static_cast<unsigned>(!lines.encode(values_ + place, into + place)) << place / chunk;
    }
    for (; HWY_UNLIKELY(doubtful != 0); doubtful &= doubtful - 1) {
      const std::int64_t place = std::countr_zero(doubtful) * chunk;
      encode_exactly(tables, place, into + place);
    }
#else
    for (std::int64_t place = 0; place < state_block; place += chunk)
      beside(place), encode_exactly(tables, place, into + place);
#endif
  }

 private:
  HWY_NOINLINE void encode_exactly(const Tables& tables, std::int64_t place, std::uint8_t* into) const {
    const V to_parts = hn::Set(F(), inverse_);
    const auto* entries = is_signed ? tables.codes.mean_entries : tables.codes.square_entries;
    const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
    for (std::int64_t i = 0; i < chunk; i += step)
      HWY_NAMESPACE::encode<is_signed>(hn::Mul(hn::Load(F(), values_ + place + i), to_parts), entries,
                                       into + i);
  }

  HWY_ALIGN float values_[state_block];
  float inverse_;
};

/// The greatest magnitude of a block, whatever in it is no number.
class Most {
 public:
  HWY_INLINE Most() : most_(hn::Zero(F())) {}
  HWY_INLINE void take(V state) {
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
    constexpr int greater_magnitude = 0b1011;
    most_ = V{_mm512_range_ps(most_.raw, state.raw, greater_magnitude)};
#else
    most_ = hn::Max(hn::Abs(state), most_);
#endif
  }
  HWY_INLINE float get() const {
    return hn::GetLane(hn::MaxOfLanes(F(), most_));
  }

 private:
  V most_;
};

/// A block in passes, each of which keeps its tables in registers, where those of all would not fit.
template <typename Gradient, typename Copy>
class Blocks {
 public:
  HWY_INLINE Blocks(const AdamWFactors& factors, const AdamW8Run& run, const Tables& tables)
      : run_(run), values_(run), factors_(factors), moved_value_(factors), tables_(tables) {}

  HWY_INLINE void update(std::int64_t block) {
    const std::int64_t first = block * state_block;
    move(first, run_.mean + first, run_.mean_scale[block], means_);
    move(first, run_.square + first, run_.square_scale[block], squares_);
    // Roots and quotients keep one unit of the CPU, codes the others.
    means_.encode(tables_, run_.mean + first,
                  [&](std::int64_t place) HWY_ATTR { write_values(first, place); });
    squares_.encode(tables_, run_.square + first, [](std::int64_t) {});
  }

 private:
  template <bool is_mean>
  HWY_INLINE void move(std::int64_t first, const std::uint8_t* codes, float& scale, Moments<is_mean>& into) {
    const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
    const auto* gradient = static_cast<const Gradient*>(run_.gradient) + first;
    const MovedMoment<is_mean> moved(factors_, scale);
    Numbers<is_mean> numbers(tables_);
    Most most;
#pragma GCC unroll 1
    for (std::int64_t place = 0; place < state_block; place += chunk) {
      prefetch_lines(codes + place + ahead, chunk);
      if constexpr (is_mean) prefetch_lines(gradient + place + ahead, chunk);
      numbers.read(codes + place);
      for (std::int64_t i = 0; i < chunk; i += 2 * step) {
        V first_gradient, second_gradient;
        load_two(gradient + place + i, first_gradient, second_gradient);
        const V first_state = moved(numbers.at(i), first_gradient),
                second_state = moved(numbers.at(i + step), second_gradient);
        hn::Store(first_state, F(), into.at(place + i));
        hn::Store(second_state, F(), into.at(place + i + step));
        most.take(first_state), most.take(second_state);
      }
    }
    scale = most.get();
    into.set_scale(scale);
  }

  HWY_INLINE void write_values(std::int64_t first, std::int64_t place) {
    const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
    values_.prefetch(first + place + ahead, chunk);
    for (std::int64_t i = place; i < place + chunk; i += 2 * step) {
      V first_value, second_value;
      values_.load_two(first + i, first_value, second_value);
      values_.store_two(moved(first_value, i), moved(second_value, i + step), first + i);
    }
  }
  HWY_INLINE V moved(V value, std::int64_t place) const {
    return moved_value_(value, hn::Load(F(), means_.at(place)), hn::Load(F(), squares_.at(place)));
  }

  const AdamW8Run run_;
  const Values<Copy, false> values_;
  const AdamWFactors factors_;
  const MovedValue moved_value_;
  const Tables tables_;
  Moments<true> means_;
  Moments<false> squares_;
};

template <typename Gradient, typename Copy>
void whole_blocks(const AdamWFactors& factors, const AdamW8Run& run, const Tables& tables,
                  std::int64_t blocks) {
  Blocks<Gradient, Copy> all(factors, run, tables);
  for (std::int64_t block = 0; block < blocks; ++block) all.update(block);
}

template <typename Gradient>
void whole_blocks_from(const AdamWFactors& factors, const AdamW8Run& run, const Tables& tables,
                       std::int64_t blocks) {
  if (run.lower) return whole_blocks<Gradient, Halves>(factors, run, tables, blocks);
  if (!run.copy) return whole_blocks<Gradient, void>(factors, run, tables, blocks);
  if (run.copy_type == DType::bf16) return whole_blocks<Gradient, BFloat16>(factors, run, tables, blocks);
  if (run.copy_type == DType::f16) return whole_blocks<Gradient, Float16>(factors, run, tables, blocks);
  whole_blocks<Gradient, float>(factors, run, tables, blocks);
}

void adamw8_all(const AdamWFactors& factors, const AdamW8Run& run, const CodeTables& codes) {
  const Tables tables{codes, rank_tables(true), rank_tables(false)};
  const bool halves = run.gradient_type == DType::f16 || (run.copy && run.copy_type == DType::f16);
  if (!HWY_NATIVE_FMA || (halves && !lanes::converts_f16)) return reference::adamw8(factors, run);
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
  if (run.master) rest.master += done;
  if (run.lower) rest.lower += done;
  rest.mean += done, rest.square += done;
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
  require(is_float(run.gradient_type) && (!run.copy || is_float(run.copy_type)) &&
              (!run.lower || (run.copy && run.copy_type == DType::bf16)),
          "an update from {} gradients to {} parameters", name_of(run.gradient_type), name_of(run.copy_type));
  const CodeTables tables{dynamic_codes(true).data(), dynamic_codes(false).data(),
                          code_finder(true).entries(), code_finder(false).entries()};
  HWY_DYNAMIC_DISPATCH(adamw8_all)(factors, run, tables);
}

}  // namespace trireme::offload
#endif
