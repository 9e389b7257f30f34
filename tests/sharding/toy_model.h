#pragma once
#include <string>
#include <vector>

#include "sharding/engine.h"

namespace trireme::sharding::tests {

struct ToyShape {
  int vocabulary = 37, width = 12, inner = 20, blocks = 4;
  bool tied = false;           ///< the head uses the embedding's matrix
  bool frozen_blocks = false;  ///< the blocks' large groups are not trained, their small ones are
  bool side_loss = false;      ///< a block in the middle adds a loss of its own
};

/// Embedding, residual perceptrons of two groups each, and a head with cross entropy, from plain ATen
/// operations. One block leaves a parameter unused, and a second tensor flows beside the hidden one.
Model toy_model(const ToyShape& shape);

/// The starting value of element `index` of a parameter.
float starting_value(const std::string& parameter, std::int64_t index);
ReadFloats read_starting_values();

/// Rows of tokens with labels of which some are not scored, differently many a row.
struct ToyBatch {
  at::Tensor tokens, labels;
};
ToyBatch toy_batch(const ToyShape& shape, int rows, int step);
/// The contexts of one rank: its part of the rows in `micro_batches` equal parts, weighed by all scored
/// tokens.
std::vector<Context> contexts_of(const ToyBatch& batch, int rank, int ranks, int micro_batches);

struct ToySettings {
  double learning_rate = 3e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weight_decay = 0.1;
  std::optional<double> max_norm;
  int rows = 12, steps = 5;
};
struct ToyRun {
  std::vector<double> losses, norms;
  std::vector<std::pair<std::string, at::Tensor>> parameters;
};
/// The same training without any of this project's machinery: one graph over all units, ATen's arithmetic.
ToyRun train_plainly(const ToyShape& shape, const ToySettings& settings);

}  // namespace trireme::sharding::tests
