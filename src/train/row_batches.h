#pragma once
#include <memory>

#include "io/data/permutation.h"
#include "train/batches.h"
#include "train/rows.h"

namespace trireme::train {

struct RowOrder {
  std::int64_t sequence_len = 0;
  std::uint64_t seed = 0;
  bool shuffle = false;
};

/// Batches of rows, each epoch in an order of its own that is computed, not kept: where a run is in its data
/// is its step.
class RowBatches final : public BatchSource {
 public:
  RowBatches(std::unique_ptr<const RowSource> rows, RowOrder order) : rows_(std::move(rows)), order_(order) {}
  std::int64_t steps_per_epoch(const BatchShape& shape) const override;
  std::vector<sharding::Context> batch(std::int64_t step, const BatchShape& shape) const override;

 private:
  std::unique_ptr<const RowSource> rows_;
  RowOrder order_;
};

}  // namespace trireme::train
