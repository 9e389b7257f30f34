#include "io/data/joined_documents.h"

#include <algorithm>

namespace trireme::io {

JoinedDocuments::JoinedDocuments(std::vector<std::shared_ptr<const DocumentSource>> sources)
    : sources_(std::move(sources)) {
  std::uint64_t end = 0;
  for (const auto& source : sources_) ends_.push_back(end += source->size());
}

DocumentView JoinedDocuments::document(std::uint64_t index) const {
  const auto source =
      static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
  return sources_[source]->document(source == 0 ? index : index - ends_[source - 1]);
}

std::uint64_t JoinedDocuments::skipped() const {
  std::uint64_t count = 0;
  for (const auto& source : sources_) count += source->skipped();
  return count;
}

}  // namespace trireme::io
