#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace trireme::train {

/// Where one row of a batch is written. All start as padding: token 0, not scored, positions 0, 1, …
struct RowPlace {
  std::span<std::int64_t> tokens, labels, positions;
};

/// Rows of one length in a fixed order: what is seen once in an epoch.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual std::int64_t rows() const = 0;
  /// Writes a row and returns the lengths of the documents in it; empty: it is one, and needs no bounds.
  virtual std::vector<std::int64_t> read(std::int64_t row, const RowPlace& place) const = 0;
};

}  // namespace trireme::train
