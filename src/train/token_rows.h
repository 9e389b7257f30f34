#pragma once
#include <filesystem>
#include <string>

#include "io/npy.h"
#include "train/rows.h"

namespace trireme::train {

/// Rows of token ids from an .npy file: each row predicts its own next tokens. An array of several dimensions
/// holds rows of the last one's length; a single one is a stream that is cut into rows, and what is left over
/// is not used. `vocabulary`: a token that is not below it is refused when its row is read.
class TokenRows final : public RowSource {
 public:
  TokenRows(const std::filesystem::path& path, std::int64_t sequence_len, std::int64_t vocabulary);
  std::int64_t rows() const override { return rows_; }
  std::vector<std::int64_t> read(std::int64_t row, const RowPlace& place) const override;

 private:
  std::string name_;
  io::NpyFile file_;
  std::int64_t rows_, vocabulary_;
};

}  // namespace trireme::train
