#pragma once
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// Scores of `keys` keys from `first_key` on (rows) for 64 queries from `first_query` on (columns), of which
/// `queries` are real; in units of powers of two once multiplied by `factor`.
struct Scores {
  float* values = nullptr;
  std::int64_t first_query = 0, queries = 0, first_key = 0, keys = 0;
  float factor = 1;
  const std::int32_t* first_visible = nullptr;
};

/// What is carried from one block of keys to the next, a lane a query.
struct RunningSoftmax {
  alignas(64) float most[64];
  alignas(64) float sum[64];
  /// What results so far are to be multiplied by.
  alignas(64) float correction[64];
};

void begin_softmax(RunningSoftmax& running);
/// Turns scores into weights relative to the greatest so far, in pairs of rows as a product's panel.
void take_scores(RunningSoftmax& running, const Scores& scores, BFloat16* pairs);
/// Whether and how results so far change; rows of 64.
void correct_rows(const RunningSoftmax& running, float* rows, std::int64_t count);

struct ScoreGradients {
  /// Of the weights, in the layout of the scores.
  const float* weight_gradients = nullptr;
  /// A lane a query: the logarithm of its sum, and its output times the output's gradient.
  const float *log_sums = nullptr, *along = nullptr;
  float scale = 1;
  /// Rows of 64: the weights, the scores' gradients, and these in pairs of rows.
  BFloat16 *weights = nullptr, *gradients = nullptr, *pairs = nullptr;
};
void scores_backward(const Scores& scores, const ScoreGradients& work);

/// rows [count, 64] times a factor a lane, in bf16.
void round_rows(const float* rows, const float* factors, std::int64_t count, BFloat16* out);
void round_values(const float* values, std::int64_t count, BFloat16* out);
/// The sum of products of bf16.
float dot(const BFloat16* left, const BFloat16* right, std::int64_t count);

namespace reference {

void begin_softmax(RunningSoftmax& running);
void take_scores(RunningSoftmax& running, const Scores& scores, BFloat16* pairs);
void correct_rows(const RunningSoftmax& running, float* rows, std::int64_t count);
void scores_backward(const Scores& scores, const ScoreGradients& work);
void round_rows(const float* rows, const float* factors, std::int64_t count, BFloat16* out);
void round_values(const float* values, std::int64_t count, BFloat16* out);
float dot(const BFloat16* left, const BFloat16* right, std::int64_t count);

}  // namespace reference

}  // namespace trireme::model::kernels
