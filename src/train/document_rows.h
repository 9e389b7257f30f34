#pragma once
#include <memory>

#include "io/data/documents.h"
#include "io/data/packing.h"
#include "train/rows.h"

namespace trireme::train {

/// Rows of tokenised documents: packed several to a row, each of which attends to itself alone, or one to a
/// row with padding behind it.
class DocumentRows final : public RowSource {
 public:
  /// `chosen` are the numbers of its documents; one may be there several times.
  DocumentRows(std::shared_ptr<const io::DocumentSource> documents, std::vector<std::uint32_t> chosen,
               std::int64_t sequence_len, bool packed);
  std::int64_t rows() const override { return static_cast<std::int64_t>(packing_.bins()); }
  std::vector<std::int64_t> read(std::int64_t row, const RowPlace& place) const override;
  /// Tokens over the room of all rows.
  double fullness() const { return packing_.fullness; }

 private:
  std::shared_ptr<const io::DocumentSource> documents_;
  std::vector<std::uint32_t> chosen_;
  bool packed_;
  io::Packing packing_;
};

}  // namespace trireme::train
