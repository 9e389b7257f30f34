#pragma once
#include <cstddef>
#include <cstdint>

#include "core/dtype.h"

namespace trireme::model::kernels {

/// So many queries at once, as the columns of scores: one panel of a product.
constexpr std::int64_t queries_at_once = 64;
/// Keys whose scores are held at once.
constexpr std::int64_t keys_at_once = 512;
constexpr std::int64_t largest_head = 256;

/// Causal attention of bf16 on CPUs that multiply pairs of it. Scores are held transposed, queries side by
/// side, so that sums over keys run down the lanes and each of the products finds its pairs in order.
struct AttentionShape {
  std::int64_t length = 0, heads = 0, key_value_heads = 0, head_size = 0;
  float scale = 1;
  /// The first key that each position sees, not falling; null: all from 0 on.
  const std::int32_t* first_key = nullptr;

  std::int64_t query_stride() const { return heads * head_size; }
  std::int64_t key_stride() const { return key_value_heads * head_size; }
  std::int64_t padded_length() const { return (length + 1) / 2 * 2; }
};

/// One row of the batch: query and out [length, heads, head_size], key and value [length, key_value_heads,
/// head_size], all as they lie; `log_sums` [heads, length] is each query's sum of exponentials, as a power of
/// two.
struct AttentionRow {
  const BFloat16 *query = nullptr, *key = nullptr, *value = nullptr;
  BFloat16* out = nullptr;
  float* log_sums = nullptr;
};

struct AttentionRowBackward {
  const BFloat16 *query = nullptr, *key = nullptr, *value = nullptr, *out = nullptr, *gradient = nullptr;
  const float* log_sums = nullptr;
  BFloat16 *dquery = nullptr, *dkey = nullptr, *dvalue = nullptr;
};

/// Whether the kernels below can be called for heads of this size.
bool attends_in_pairs(std::int64_t head_size);

/// `scratch`: so many bytes at a cache line, of one thread.
std::size_t attention_scratch(const AttentionShape& shape);
std::size_t attention_backward_scratch(const AttentionShape& shape);

void attend_head(const AttentionShape& shape, const AttentionRow& row, std::int64_t head, std::byte* scratch);
/// All heads that share one key and value head, in order.
void attend_backward(const AttentionShape& shape, const AttentionRowBackward& row,
                     std::int64_t key_value_head, std::byte* scratch);

}  // namespace trireme::model::kernels
