#include "model/kernels/score_lanes.h"

#include "model/kernels/pair_products.h"

#if defined(__x86_64__)
// GCC 12 takes its own "undefined" operands for a mistake of ours.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")
#include "model/kernels/narrow_lanes-inl.h"

namespace trireme::model::kernels {
namespace {

constexpr int vectors = 4, lanes = 16, columns = vectors * lanes;
constexpr float nothing = -__builtin_inff();
const bool rounds_by_instruction = has_pair_instruction();

/// 2^x for x of at most a few; far below, zero.
__m512 power_of_two(__m512 x) {
  x = _mm512_max_ps(x, _mm512_set1_ps(-200.0f));
  const __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(x, whole);
  __m512 sum = _mm512_set1_ps(1.5403530e-4f);
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.3333558e-3f));
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(9.6181291e-3f));
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(5.5504109e-2f));
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(2.4022651e-1f));
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(6.9314718e-1f));
  sum = _mm512_fmadd_ps(sum, rest, _mm512_set1_ps(1.0f));
  return _mm512_scalef_ps(sum, whole);
}

__m512 wide(const BFloat16* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16));
}

/// Sixteen values in bf16.
void store_narrow(__m512 values, BFloat16* to) {
  const __m256i narrow = rounds_by_instruction ? reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(values))
                                               : narrow_by_integers(values);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), narrow);
}

/// Two rows' values side by side, column after column.
__m512i in_pairs(__m512 first, __m512 second, __m512i order) {
  if (!rounds_by_instruction)
    return _mm512_mask_mov_epi16(_mm512_srli_epi32(rounded_upper_halves(first), 16), 0xaaaaaaaaU,
                                 rounded_upper_halves(second));
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(second, first)));
}

__m512i pair_order() {
  alignas(64) std::uint16_t order[2 * lanes];
  for (int i = 0; i < 2 * lanes; ++i) order[i] = static_cast<std::uint16_t>(i / 2 + i % 2 * lanes);
  return _mm512_load_si512(order);
}

/// Which keys each of 64 queries sees.
class Sight {
 public:
  explicit Sight(const Scores& scores) : scores_(scores) {
    std::int32_t latest = 0;
    for (int i = 0; i < columns; ++i) {
      const std::int64_t query = scores.first_query + i;
      first_[i] = scores.first_visible && i < scores.queries ? scores.first_visible[query] : 0;
      query_[i] = static_cast<std::int32_t>(query);
      latest = first_[i] > latest ? first_[i] : latest;
    }
    all_from_ = latest;
  }
  bool all(std::int64_t key) const { return key <= scores_.first_query && key >= all_from_; }
  __mmask16 of(std::int64_t key, int vector) const {
    const __m512i at = _mm512_set1_epi32(static_cast<std::int32_t>(key));
    return _mm512_cmple_epi32_mask(at, _mm512_load_si512(query_ + vector * lanes)) &
           _mm512_cmpge_epi32_mask(at, _mm512_load_si512(first_ + vector * lanes));
  }

 private:
  const Scores& scores_;
  alignas(64) std::int32_t first_[columns];
  alignas(64) std::int32_t query_[columns];
  std::int64_t all_from_ = 0;
};

}  // namespace

void begin_softmax(RunningSoftmax& running) {
  for (int i = 0; i < columns; ++i) running.most[i] = nothing, running.sum[i] = 0, running.correction[i] = 0;
}

void take_scores(RunningSoftmax& running, const Scores& scores, BFloat16* pairs) {
  const Sight sight(scores);
  const __m512i order = pair_order();
  const __m512 factor = _mm512_set1_ps(scores.factor);
  __m512 most[vectors], sum[vectors];
  for (int v = 0; v < vectors; ++v) most[v] = _mm512_set1_ps(nothing);
  for (std::int64_t key = 0; key < scores.keys; ++key) {
    float* row = scores.values + key * columns;
    const bool all = sight.all(scores.first_key + key);
    for (int v = 0; v < vectors; ++v) {
      __m512 value = _mm512_mul_ps(_mm512_loadu_ps(row + v * lanes), factor);
      if (!all)
        value = _mm512_mask_mov_ps(_mm512_set1_ps(nothing), sight.of(scores.first_key + key, v), value);
      _mm512_storeu_ps(row + v * lanes, value);
      most[v] = _mm512_max_ps(most[v], value);
    }
  }
  for (int v = 0; v < vectors; ++v) {
    const __m512 before = _mm512_load_ps(running.most + v * lanes), now = _mm512_max_ps(before, most[v]);
    _mm512_store_ps(running.most + v * lanes, now);
    // A query that has seen nothing yet has no greatest score to be relative to.
    const __mmask16 blind = _mm512_cmp_ps_mask(now, _mm512_set1_ps(nothing), _CMP_EQ_OQ);
    most[v] = _mm512_mask_mov_ps(now, blind, _mm512_setzero_ps());
    const __m512 correction = power_of_two(_mm512_sub_ps(before, most[v]));
    _mm512_store_ps(running.correction + v * lanes, correction);
    sum[v] = _mm512_mul_ps(_mm512_load_ps(running.sum + v * lanes), correction);
  }
  for (std::int64_t key = 0; key < scores.keys; key += 2, pairs += 2 * columns) {
    const float* row = scores.values + key * columns;
    for (int v = 0; v < vectors; ++v) {
      const __m512 first = power_of_two(_mm512_sub_ps(_mm512_loadu_ps(row + v * lanes), most[v]));
      const __m512 second =
          key + 1 < scores.keys
              ? power_of_two(_mm512_sub_ps(_mm512_loadu_ps(row + columns + v * lanes), most[v]))
              : _mm512_setzero_ps();
      sum[v] = _mm512_add_ps(sum[v], _mm512_add_ps(first, second));
      _mm512_storeu_si512(pairs + 2 * v * lanes, in_pairs(first, second, order));
    }
  }
  for (int v = 0; v < vectors; ++v) _mm512_store_ps(running.sum + v * lanes, sum[v]);
}

void correct_rows(const RunningSoftmax& running, float* rows, std::int64_t count) {
  for (std::int64_t row = 0; row < count; ++row)
    for (int v = 0; v < vectors; ++v) {
      float* at = rows + row * columns + v * lanes;
      _mm512_storeu_ps(at,
                       _mm512_mul_ps(_mm512_loadu_ps(at), _mm512_load_ps(running.correction + v * lanes)));
    }
}

void scores_backward(const Scores& scores, const ScoreGradients& work) {
  const Sight sight(scores);
  const __m512i order = pair_order();
  const __m512 factor = _mm512_set1_ps(scores.factor), scale = _mm512_set1_ps(work.scale);
  for (std::int64_t key = 0; key < scores.keys; key += 2)
    for (int v = 0; v < vectors; ++v) {
      const __m512 log_sum = _mm512_loadu_ps(work.log_sums + v * lanes),
                   along = _mm512_loadu_ps(work.along + v * lanes);
      __m512 gradients[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
      for (int half = 0; half < 2 && key + half < scores.keys; ++half) {
        const std::int64_t at = (key + half) * columns + v * lanes;
        __m512 weight = power_of_two(_mm512_fmsub_ps(_mm512_loadu_ps(scores.values + at), factor, log_sum));
        if (!sight.all(scores.first_key + key + half))
          weight = _mm512_maskz_mov_ps(sight.of(scores.first_key + key + half, v), weight);
        gradients[half] = _mm512_mul_ps(_mm512_mul_ps(weight, scale),
                                        _mm512_sub_ps(_mm512_loadu_ps(work.weight_gradients + at), along));
        store_narrow(weight, work.weights + at);
        store_narrow(gradients[half], work.gradients + at);
      }
      _mm512_storeu_si512(work.pairs + key * columns + 2 * v * lanes,
                          in_pairs(gradients[0], gradients[1], order));
    }
}

void round_rows(const float* rows, const float* factors, std::int64_t count, BFloat16* out) {
  for (std::int64_t row = 0; row < count; ++row)
    for (int v = 0; v < vectors; ++v) {
      const std::int64_t at = row * columns + v * lanes;
      const __m512 value = _mm512_mul_ps(_mm512_loadu_ps(rows + at), _mm512_loadu_ps(factors + v * lanes));
      store_narrow(value, out + at);
    }
}

void round_values(const float* values, std::int64_t count, BFloat16* out) {
  for (std::int64_t i = 0; i < count; i += lanes) store_narrow(_mm512_loadu_ps(values + i), out + i);
}

float dot(const BFloat16* left, const BFloat16* right, std::int64_t count) {
  __m512 sum = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < count; i += lanes) {
    sum = _mm512_fmadd_ps(wide(left + i), wide(right + i), sum);
  }
  return _mm512_reduce_add_ps(sum);
}

}  // namespace trireme::model::kernels

#pragma GCC pop_options
#pragma GCC diagnostic pop
#endif
