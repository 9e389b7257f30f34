#include <algorithm>
#include <cmath>
#include <limits>

#include "model/kernels/score_lanes.h"

namespace trireme::model::kernels::reference {
namespace {

constexpr std::int64_t columns = 64;
constexpr float nothing = -std::numeric_limits<float>::infinity();

bool sees(const Scores& scores, std::int64_t column, std::int64_t key) {
  const std::int64_t query = scores.first_query + column;
  const std::int64_t first =
      scores.first_visible && column < scores.queries ? scores.first_visible[query] : 0;
  return key <= query && key >= first;
}

BFloat16& pair_of(BFloat16* pairs, std::int64_t key, std::int64_t column) {
  return pairs[key / 2 * 2 * columns + 2 * column + key % 2];
}

}  // namespace

void begin_softmax(RunningSoftmax& running) {
  std::fill(std::begin(running.most), std::end(running.most), nothing);
  std::fill(std::begin(running.sum), std::end(running.sum), 0.0f);
  std::fill(std::begin(running.correction), std::end(running.correction), 0.0f);
}

void take_scores(RunningSoftmax& running, const Scores& scores, BFloat16* pairs) {
  for (std::int64_t c = 0; c < columns; ++c) {
    const auto score = [&](std::int64_t key) {
      return sees(scores, c, scores.first_key + key) ? scores.values[key * columns + c] * scores.factor
                                                     : nothing;
    };
    const float before = running.most[c];
    for (std::int64_t key = 0; key < scores.keys; ++key)
      running.most[c] = std::max(running.most[c], score(key));
    const float most = running.most[c] == nothing ? 0.0f : running.most[c];
    running.correction[c] = std::exp2(before - most);
    running.sum[c] *= running.correction[c];
    if (scores.keys % 2 != 0) pair_of(pairs, scores.keys, c) = BFloat16{};
    for (std::int64_t key = 0; key < scores.keys; ++key) {
      const float weight = std::exp2(score(key) - most);
      running.sum[c] += weight;
      pair_of(pairs, key, c) = BFloat16(weight);
    }
  }
}

void correct_rows(const RunningSoftmax& running, float* rows, std::int64_t count) {
  for (std::int64_t i = 0; i < count * columns; ++i) rows[i] *= running.correction[i % columns];
}

void scores_backward(const Scores& scores, const ScoreGradients& work) {
  for (std::int64_t c = 0; c < columns; ++c) {
    if (scores.keys % 2 != 0) pair_of(work.pairs, scores.keys, c) = BFloat16{};
    for (std::int64_t key = 0; key < scores.keys; ++key) {
      const std::int64_t at = key * columns + c;
      const float weight = sees(scores, c, scores.first_key + key)
                               ? std::exp2(scores.values[at] * scores.factor - work.log_sums[c])
                               : 0.0f;
      const BFloat16 gradient(weight * work.scale * (work.weight_gradients[at] - work.along[c]));
      work.weights[at] = BFloat16(weight);
      work.gradients[at] = pair_of(work.pairs, key, c) = gradient;
    }
  }
}

void round_rows(const float* rows, const float* factors, std::int64_t count, BFloat16* out) {
  for (std::int64_t i = 0; i < count * columns; ++i) out[i] = BFloat16(rows[i] * factors[i % columns]);
}

void round_values(const float* values, std::int64_t count, BFloat16* out) {
  for (std::int64_t i = 0; i < count; ++i) out[i] = BFloat16(values[i]);
}

float dot(const BFloat16* left, const BFloat16* right, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<float>(left[i]) * static_cast<float>(right[i]);
  return sum;
}

}  // namespace trireme::model::kernels::reference

#if !defined(__x86_64__)
namespace trireme::model::kernels {

void begin_softmax(RunningSoftmax& running) {
  reference::begin_softmax(running);
}
void take_scores(RunningSoftmax& running, const Scores& scores, BFloat16* pairs) {
  reference::take_scores(running, scores, pairs);
}
void correct_rows(const RunningSoftmax& running, float* rows, std::int64_t count) {
  reference::correct_rows(running, rows, count);
}
void scores_backward(const Scores& scores, const ScoreGradients& work) {
  reference::scores_backward(scores, work);
}
void round_rows(const float* rows, const float* factors, std::int64_t count, BFloat16* out) {
  reference::round_rows(rows, factors, count, out);
}
void round_values(const float* values, std::int64_t count, BFloat16* out) {
  reference::round_values(values, count, out);
}
float dot(const BFloat16* left, const BFloat16* right, std::int64_t count) {
  return reference::dot(left, right, count);
}

}  // namespace trireme::model::kernels
#endif
