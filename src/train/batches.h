#pragma once
#include <cstdint>
#include <vector>

#include "sharding/unit.h"

namespace trireme::train {

/// How a step's rows are dealt to ranks: row i goes to rank i mod ranks, so that each has as many as the next
/// or one more.
struct BatchShape {
  int rank = 0, ranks = 1;
  std::int64_t micro_batch_size = 1;
  int micro_batches = 1;
  /// Rows of one step over all ranks; at most what the ranks' micro-batches hold. What is missing is filled
  /// with rows that are not scored.
  std::int64_t rows_per_step = 1;
};

/// Gives the micro-batches of a step. Order and content depend on the data and the seed alone, never on the
/// ranks.
class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Steps until every sample was seen once.
  virtual std::int64_t steps_per_epoch(const BatchShape& shape) const = 0;
  /// What this rank computes in a step, counted from 1; epochs follow one another. `loss_weight` is left
  /// at 1.
  virtual std::vector<sharding::Context> batch(std::int64_t step, const BatchShape& shape) const = 0;
};

/// Scored positions of the contexts.
std::int64_t scored(const std::vector<sharding::Context>& contexts);

}  // namespace trireme::train
