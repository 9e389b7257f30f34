#pragma once
#include <ATen/core/Tensor.h>

#include "sharding/gradient_sink.h"

namespace trireme::model {

/// What a head knows of each token after some chunks of the vocabulary, flat over the tokens.
struct ChunkScores {
  at::Tensor hidden;      ///< what is multiplied, for the next chunk
  at::Tensor normalizer;  ///< fp32: the logarithm of the sum of the exponentials of the logits so far
  at::Tensor target;      ///< fp32: the logit of the label, zero until its chunk has come
};

/// What a chunk's logits are made of.
struct ChunkProduct {
  at::Tensor weight;  ///< its rows of the matrix
  std::int64_t first = 0;
  at::ScalarType compute = at::kFloat;
  double cap = 0;  ///< as in `linear_cross_entropy`
};

/// Takes one more chunk into account. Backward makes the logits again, so that nothing of their size is kept,
/// unless it is told to `keep` them, and adds to the gradient of `hidden` in its own type, which may be wider
/// than that of the product.
ChunkScores add_chunk(const ChunkScores& before, const ChunkProduct& chunk, const at::Tensor& labels,
                      bool keep, const sharding::GradientSinkPtr& sink);

/// The largest logit of each token so far, and whether its label has it.
struct ChunkHits {
  at::Tensor largest, hit;
};
ChunkHits add_chunk_hits(const ChunkHits& before, const at::Tensor& hidden, const ChunkProduct& chunk,
                         const at::Tensor& labels);

}  // namespace trireme::model
