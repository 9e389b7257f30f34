#pragma once
#include <memory>
#include <vector>

#include "io/data/documents.h"

namespace trireme::io {

/// Several sources as one: the first's documents, then the second's, and so on.
class JoinedDocuments final : public DocumentSource {
 public:
  explicit JoinedDocuments(std::vector<std::shared_ptr<const DocumentSource>> sources);
  std::uint64_t size() const override { return ends_.empty() ? 0 : ends_.back(); }
  DocumentView document(std::uint64_t index) const override;
  std::uint64_t skipped() const override;
  /// Where each source's documents end.
  const std::vector<std::uint64_t>& ends() const { return ends_; }

 private:
  std::vector<std::shared_ptr<const DocumentSource>> sources_;
  std::vector<std::uint64_t> ends_;
};

}  // namespace trireme::io
