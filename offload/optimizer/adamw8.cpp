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

/// Codes are read and written so many at a time.
constexpr std::int64_t chunk = 64;
/// So many elements ahead memory is asked for what is read: the CPU by itself stops at the ends of pages.
constexpr std::int64_t ahead = 2048;
struct Tables {
  CodeTables codes;
  const RankTables &mean_ranks, &square_ranks;
};

/// The numbers of a chunk of codes, a vector at a time.
template <bool is_signed>
class Numbers {
 public:
#if HWY_TARGET == HWY_AVX3_DL
  HWY_INLINE Numbers(const Tables& tables, const std::uint8_t* from, V scale) : scale_(scale) {
    decode_bytes<is_signed>(is_signed ? tables.mean_ranks : tables.square_ranks, from, numbers_);
  }
  HWY_INLINE V at(std::int64_t place) const {
    return hn::Mul(V{_mm512_castsi512_ps(numbers_[place / 16])}, scale_);
  }

 private:
  __m512i numbers_[chunk / 16];
  V scale_;
#else
  HWY_INLINE Numbers(const Tables& tables, const std::uint8_t* from, V scale)
      : codes_(is_signed ? tables.codes.mean_codes : tables.codes.square_codes), from_(from), scale_(scale) {}
  HWY_INLINE V at(std::int64_t place) const {
    return decode(codes_, from_ + place, scale_);
  }

 private:
  const float* codes_;
  const std::uint8_t* from_;
  V scale_;
#endif
};

/// New states of one kind of a block on their way to codes.
template <bool is_signed>
struct States {
  HWY_ALIGN float values[state_block];
  float inverse, factor;

  /// Writes the codes of the chunk at `place`.
  HWY_INLINE void encode(const Tables& tables, std::int64_t place, std::uint8_t* into) {
#if HWY_TARGET == HWY_AVX3_DL
    const RankTables& ranks = is_signed ? tables.mean_ranks : tables.square_ranks;
    if (encode_bytes<is_signed>(ranks, values + place, factor, into)) return;
#endif
    encode_exactly(tables, place, into);
  }
  /// Writes the scale of a block that is complete.
  HWY_INLINE void close(const Tables& tables, V most, float& scale) {
    scale = hn::GetLane(hn::MaxOfLanes(F(), most));
    inverse = scalar::inverse_scale(scale);
    factor = inverse * (is_signed ? tables.mean_ranks : tables.square_ranks).raised;
  }

 private:
  HWY_NOINLINE void encode_exactly(const Tables& tables, std::int64_t place, std::uint8_t* into) const {
    const V to_parts = hn::Set(F(), inverse);
    const auto* entries = is_signed ? tables.codes.mean_entries : tables.codes.square_entries;
    const auto step = static_cast<std::int64_t>(hn::Lanes(F()));
    for (std::int64_t i = 0; i < chunk; i += step)
      HWY_NAMESPACE::encode<is_signed>(hn::Mul(hn::Load(F(), values + place + i), to_parts), entries,
                                       into + i);
  }
};

/// Each chunk of a block is decoded while one of the block before is finished, which needed its block's
/// maximum: what an update waits for in sequence (look-ups, roots, quotients, that maximum) would keep the
/// CPU idle half of the time.
template <typename Gradient, typename Copy>
class Stages {
 public:
  HWY_INLINE Stages(const AdamWFactors& factors, const AdamW8Run& run, const Tables& tables)
      : run_(run), values_(run), update_(factors), tables_(tables) {}

  HWY_INLINE void all(std::int64_t blocks) {
    if (blocks == 0) return;
    run_block<true, false>(0);
    for (std::int64_t block = 1; block < blocks; ++block) run_block<true, true>(block);
    run_block<false, true>(blocks);
  }

 private:
  /// Moves the states of a block, finishes the one before, or both.
  template <bool moves, bool finishes>
  HWY_INLINE void run_block(std::int64_t block) {
    V mean_most = hn::Zero(F()), square_most = hn::Zero(F());
    for (std::int64_t place = 0; place < state_block; place += chunk) {
      if constexpr (moves) move_states(block, place, mean_most, square_most);
      if constexpr (finishes) finish(block - 1, place);
    }
    if constexpr (moves) {
      means_[block % 2].close(tables_, mean_most, run_.mean_scale[block]);
      squares_[block % 2].close(tables_, square_most, run_.square_scale[block]);
    }
  }

  HWY_INLINE void move_states(std::int64_t block, std::int64_t place, V& mean_most, V& square_most) {
    const F tag;
    const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
    const std::int64_t first = block * state_block + place;
    const auto* gradient = static_cast<const Gradient*>(run_.gradient) + first;
    prefetch_lines(gradient + ahead, chunk);
    prefetch_lines(run_.mean + first + ahead, chunk), prefetch_lines(run_.square + first + ahead, chunk);
    values_.prefetch(first + ahead, chunk);
    const Numbers<true> means(tables_, run_.mean + first, hn::Set(tag, run_.mean_scale[block]));
    const Numbers<false> squares(tables_, run_.square + first, hn::Set(tag, run_.square_scale[block]));
    float *const new_means = means_[block % 2].values + place, *const new_squares =
                                                                   squares_[block % 2].values + place;
    for (std::int64_t i = 0; i < chunk; i += 2 * step) {
      V gradients[2];
      load_two(gradient + i, gradients[0], gradients[1]);
      for (std::int64_t v = 0; v < 2; ++v) {
        const std::int64_t at = i + v * step;
        V mean = means.at(at), square = squares.at(at);
        update_.states(gradients[v], mean, square);
        hn::Store(mean, tag, new_means + at);
        hn::Store(square, tag, new_squares + at);
        mean_most = hn::Max(mean_most, hn::Abs(mean));
        square_most = hn::Max(square_most, square);
      }
    }
  }

  HWY_INLINE void finish(std::int64_t block, std::int64_t place) {
    const std::int64_t first = block * state_block + place;
    auto& means = means_[block % 2];
    auto& squares = squares_[block % 2];
    write_parameters(first, means.values + place, squares.values + place);
    means.encode(tables_, place, run_.mean + first);
    squares.encode(tables_, place, run_.square + first);
  }

  HWY_INLINE void write_parameters(std::int64_t first, const float* means, const float* squares) {
    const F tag;
    const auto step = static_cast<std::int64_t>(hn::Lanes(tag));
    for (std::int64_t i = 0; i < chunk; i += 2 * step) {
      V first_value, second_value;
      values_.load_two(first + i, first_value, second_value);
      first_value = update_.value(first_value, hn::Load(tag, means + i), hn::Load(tag, squares + i));
      second_value =
          update_.value(second_value, hn::Load(tag, means + i + step), hn::Load(tag, squares + i + step));
      values_.store_two(first_value, second_value, first + i);
    }
  }

  const AdamW8Run run_;
  const Values<Copy, false> values_;
  const Update update_;
  const Tables tables_;
  States<true> means_[2];
  States<false> squares_[2];
};

template <typename Gradient, typename Copy>
void whole_blocks(const AdamWFactors& factors, const AdamW8Run& run, const Tables& tables,
                  std::int64_t blocks) {
  Stages<Gradient, Copy>(factors, run, tables).all(blocks);
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
