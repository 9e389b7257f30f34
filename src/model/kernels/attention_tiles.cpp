#include "model/kernels/attention_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/error.h"
#include "model/kernels/pair_products.h"
#include "model/kernels/score_lanes.h"
#include "model/kernels/transpose.h"

namespace trireme::model::kernels {
namespace {

constexpr std::int64_t lanes = 16;
constexpr std::size_t cache_line = 64;
static_assert(queries_at_once == panel_columns);

/// Cuts arrays from one piece of memory, or counts what they would take.
class Carver {
 public:
  explicit Carver(std::byte* memory) : memory_(memory) {}
  template <typename T>
  T* take(std::int64_t elements) {
    const std::size_t at = used_;
    used_ += (static_cast<std::size_t>(elements) * sizeof(T) + cache_line - 1) / cache_line * cache_line;
    return memory_ ? reinterpret_cast<T*>(memory_ + at) : nullptr;
  }
  std::size_t used() const { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

struct Forward {
  Forward(const AttentionShape& shape, Carver& carver)
      : values(carver.take<BFloat16>(shape.head_size * shape.padded_length())),
        queries(carver.take<BFloat16>(shape.head_size * queries_at_once)),
        scores(carver.take<float>(keys_at_once * queries_at_once)),
        pairs(carver.take<BFloat16>(keys_at_once * queries_at_once)),
        results(carver.take<float>(shape.head_size * queries_at_once)),
        rounded(carver.take<BFloat16>(shape.head_size * queries_at_once)) {}
  BFloat16 *values, *queries;
  float* scores;
  BFloat16* pairs;
  float* results;
  BFloat16* rounded;
};

struct Backward {
  Backward(const AttentionShape& shape, Carver& carver)
      : keys(carver.take<BFloat16>(shape.head_size * shape.padded_length())),
        query_panel(carver.take<BFloat16>(shape.head_size * queries_at_once)),
        gradient_panel(carver.take<BFloat16>(shape.head_size * queries_at_once)),
        query_rows(carver.take<BFloat16>(panels(shape) * panel_columns * queries_at_once)),
        gradient_rows(carver.take<BFloat16>(panels(shape) * panel_columns * queries_at_once)),
        scores(carver.take<float>(keys_at_once * queries_at_once)),
        weight_gradients(carver.take<float>(keys_at_once * queries_at_once)),
        weights(carver.take<BFloat16>(keys_at_once * queries_at_once)),
        score_gradients(carver.take<BFloat16>(keys_at_once * queries_at_once)),
        pairs(carver.take<BFloat16>(keys_at_once * queries_at_once)),
        dquery(carver.take<float>(shape.head_size * queries_at_once)),
        rounded(carver.take<BFloat16>(shape.head_size * queries_at_once)),
        dkey(carver.take<float>(shape.length * shape.head_size)),
        dvalue(carver.take<float>(shape.length * shape.head_size)) {}
  static std::int64_t panels(const AttentionShape& shape) {
    return (shape.head_size + panel_columns - 1) / panel_columns;
  }
  BFloat16 *keys, *query_panel, *gradient_panel, *query_rows, *gradient_rows;
  float *scores, *weight_gradients;
  BFloat16 *weights, *score_gradients, *pairs;
  float* dquery;
  BFloat16* rounded;
  float *dkey, *dvalue;
};

/// [length, head_size] as columns, with a zero in place of a last key's missing partner.
void turn(const AttentionShape& shape, const BFloat16* rows, BFloat16* columns) {
  transpose(rows, shape.key_stride(), shape.length, shape.head_size, columns, shape.padded_length());
  if (shape.padded_length() == shape.length) return;
  for (std::int64_t i = 0; i < shape.head_size; ++i)
    columns[i * shape.padded_length() + shape.length] = BFloat16{};
}

std::int64_t even_up(std::int64_t count) {
  return (count + 1) / 2 * 2;
}

/// The block of keys at `key` for the queries at `query`.
Scores scores_at(const AttentionShape& shape, std::int64_t query, std::int64_t key, float* values) {
  Scores scores;
  scores.values = values, scores.first_query = query, scores.first_key = key;
  scores.queries = std::min(queries_at_once, shape.length - query);
  scores.keys = std::min(keys_at_once, query + scores.queries - key);
  scores.factor = shape.scale * std::numbers::log2e_v<float>;
  scores.first_visible = shape.first_key;
  return scores;
}

std::int64_t first_block(const AttentionShape& shape, std::int64_t query) {
  return shape.first_key ? shape.first_key[query] / 2 * 2 : 0;
}

/// rows [keys, head_size] of a tensor times a panel of 64 queries.
void multiply_keys(const AttentionShape& shape, const BFloat16* rows, std::int64_t keys,
                   const BFloat16* panel, float* sums) {
  PairProduct product;
  product.left = rows, product.left_stride = shape.key_stride(), product.panel = panel;
  product.rows = keys, product.depth = shape.head_size;
  product.sums = sums, product.sums_stride = queries_at_once;
  multiply_panel(product);
}

/// sums [head_size, 64] += turned keys or values times pairs of keys.
void add_over_keys(const AttentionShape& shape, const BFloat16* turned, const Scores& scores,
                   const BFloat16* pairs, float* sums) {
  PairProduct product;
  product.left = turned + scores.first_key, product.left_stride = shape.padded_length();
  product.panel = pairs, product.rows = shape.head_size, product.depth = even_up(scores.keys);
  product.sums = sums, product.sums_stride = queries_at_once, product.add = true;
  multiply_panel(product);
}

/// sums [keys, head_size] += left [keys, 64 queries] times rows of the queries.
void add_over_queries(const AttentionShape& shape, const BFloat16* left, const Scores& scores,
                      const BFloat16* rows, float* sums) {
  for (std::int64_t column = 0; column < shape.head_size; column += panel_columns) {
    PairProduct product;
    product.left = left, product.left_stride = queries_at_once;
    product.panel = rows + column * queries_at_once;
    product.rows = scores.keys, product.columns = std::min(panel_columns, shape.head_size - column);
    product.depth = queries_at_once, product.add = true;
    product.sums = sums + scores.first_key * shape.head_size + column, product.sums_stride = shape.head_size;
    multiply_panel(product);
  }
}

/// Rows of 64 queries, so that a product over queries finds zeros where there are none.
void pack_queries(const AttentionShape& shape, const BFloat16* rows, std::int64_t queries, BFloat16* packed) {
  std::fill(packed, packed + Backward::panels(shape) * panel_columns * queries_at_once, BFloat16{});
  for (std::int64_t column = 0; column < shape.head_size; column += panel_columns)
    pack_rows(rows + column, shape.query_stride(), queries, std::min(panel_columns, shape.head_size - column),
              packed + column * queries_at_once);
}

void store_turned(const AttentionShape& shape, const BFloat16* columns, std::int64_t queries, BFloat16* out) {
  transpose(columns, queries_at_once, shape.head_size, queries, out, shape.query_stride());
}

}  // namespace

bool attends_in_pairs(std::int64_t head_size) {
  return multiplies_pairs() && head_size % lanes == 0 && head_size > 0 && head_size <= largest_head;
}

std::size_t attention_scratch(const AttentionShape& shape) {
  Carver carver(nullptr);
  const Forward counted(shape, carver);
  return carver.used();
}

std::size_t attention_backward_scratch(const AttentionShape& shape) {
  Carver carver(nullptr);
  const Backward counted(shape, carver);
  return carver.used();
}

void attend_head(const AttentionShape& shape, const AttentionRow& row, std::int64_t head, std::byte* memory) {
  Carver carver(memory);
  const Forward scratch(shape, carver);
  const std::int64_t size = shape.head_size, shared = head / (shape.heads / shape.key_value_heads) * size;
  turn(shape, row.value + shared, scratch.values);
  for (std::int64_t query = 0; query < shape.length; query += queries_at_once) {
    const std::int64_t queries = std::min(queries_at_once, shape.length - query),
                       at = query * shape.query_stride() + head * size;
    pack_columns(row.query + at, shape.query_stride(), queries, size, scratch.queries);
    RunningSoftmax running;
    begin_softmax(running);
    std::fill(scratch.results, scratch.results + size * queries_at_once, 0.0f);
    const std::int64_t begin = first_block(shape, query);
    for (std::int64_t key = begin; key < query + queries; key += keys_at_once) {
      const Scores scores = scores_at(shape, query, key, scratch.scores);
      multiply_keys(shape, row.key + key * shape.key_stride() + shared, scores.keys, scratch.queries,
                    scores.values);
      take_scores(running, scores, scratch.pairs);
      if (key > begin) correct_rows(running, scratch.results, size);
      add_over_keys(shape, scratch.values, scores, scratch.pairs, scratch.results);
    }
    for (std::int64_t i = 0; i < queries_at_once; ++i) {
      if (i < queries)
        row.log_sums[head * shape.length + query + i] = running.most[i] + std::log2(running.sum[i]);
      running.sum[i] = 1.0f / running.sum[i];
    }
    round_rows(scratch.results, running.sum, size, scratch.rounded);
    store_turned(shape, scratch.rounded, queries, row.out + at);
  }
}

void attend_backward(const AttentionShape& shape, const AttentionRowBackward& row,
                     std::int64_t key_value_head, std::byte* memory) {
  Carver carver(memory);
  const Backward scratch(shape, carver);
  const std::int64_t size = shape.head_size, sharing = shape.heads / shape.key_value_heads,
                     shared = key_value_head * size;
  turn(shape, row.key + shared, scratch.keys);
  std::fill(scratch.dkey, scratch.dkey + shape.length * size, 0.0f);
  std::fill(scratch.dvalue, scratch.dvalue + shape.length * size, 0.0f);
  alignas(cache_line) float log_sums[queries_at_once], along[queries_at_once], ones[queries_at_once];
  std::fill(std::begin(ones), std::end(ones), 1.0f);
  for (std::int64_t head = key_value_head * sharing; head < (key_value_head + 1) * sharing; ++head) {
    for (std::int64_t query = 0; query < shape.length; query += queries_at_once) {
      const std::int64_t queries = std::min(queries_at_once, shape.length - query),
                         stride = shape.query_stride(), at = query * stride + head * size;
      pack_columns(row.query + at, stride, queries, size, scratch.query_panel);
      pack_columns(row.gradient + at, stride, queries, size, scratch.gradient_panel);
      pack_queries(shape, row.query + at, queries, scratch.query_rows);
      pack_queries(shape, row.gradient + at, queries, scratch.gradient_rows);
      for (std::int64_t i = 0; i < queries_at_once; ++i) {
        // A query that is not there gives no weight to any key.
        log_sums[i] = i < queries ? row.log_sums[head * shape.length + query + i]
                                  : std::numeric_limits<float>::infinity();
        along[i] = i < queries ? dot(row.out + at + i * stride, row.gradient + at + i * stride, size) : 0.0f;
      }
      std::fill(scratch.dquery, scratch.dquery + size * queries_at_once, 0.0f);
      for (std::int64_t key = first_block(shape, query); key < query + queries; key += keys_at_once) {
        const Scores scores = scores_at(shape, query, key, scratch.scores);
        const std::int64_t from = key * shape.key_stride() + shared;
        multiply_keys(shape, row.key + from, scores.keys, scratch.query_panel, scores.values);
        multiply_keys(shape, row.value + from, scores.keys, scratch.gradient_panel, scratch.weight_gradients);
        ScoreGradients work;
        work.weight_gradients = scratch.weight_gradients, work.scale = shape.scale;
        work.log_sums = log_sums, work.along = along;
        work.weights = scratch.weights, work.gradients = scratch.score_gradients, work.pairs = scratch.pairs;
        scores_backward(scores, work);
        add_over_queries(shape, scratch.weights, scores, scratch.gradient_rows, scratch.dvalue);
        add_over_queries(shape, scratch.score_gradients, scores, scratch.query_rows, scratch.dkey);
        add_over_keys(shape, scratch.keys, scores, scratch.pairs, scratch.dquery);
      }
      round_rows(scratch.dquery, ones, size, scratch.rounded);
      store_turned(shape, scratch.rounded, queries, row.dquery + at);
    }
  }
  for (std::int64_t i = 0; i < shape.length; ++i) {
    round_values(scratch.dkey + i * size, size, row.dkey + i * shape.key_stride() + shared);
    round_values(scratch.dvalue + i * size, size, row.dvalue + i * shape.key_stride() + shared);
  }
}

}  // namespace trireme::model::kernels
