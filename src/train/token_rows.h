#pragma once
#include <filesystem>

#include "io/npy.h"
#include "train/batches.h"

namespace trireme::train {

struct TokenRowsOptions {
  std::int64_t sequence_len = 0;
  std::uint64_t seed = 0;
  bool shuffle = false;
};

/// Rows of token ids from an .npy file: each row predicts its own next tokens. An array of several dimensions
/// holds rows of the last one's length; a single one is a stream that is cut into rows, and what is left over
/// is not used.
class TokenRows final : public BatchSource {
 public:
  TokenRows(const std::filesystem::path& path, TokenRowsOptions options);
  std::int64_t rows() const { return rows_; }
  std::int64_t steps_per_epoch(const BatchShape& shape) const override;
  std::vector<sharding::Context> batch(std::int64_t step, const BatchShape& shape) const override;

 private:
  const std::vector<std::int64_t>& order_of(std::int64_t epoch) const;

  io::NpyFile file_;
  TokenRowsOptions options_;
  std::int64_t rows_;
  mutable std::int64_t ordered_epoch_ = -1;
  mutable std::vector<std::int64_t> order_;
};

}  // namespace trireme::train
