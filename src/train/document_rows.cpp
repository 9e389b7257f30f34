#include "train/document_rows.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace trireme::train {
namespace {

io::Packing one_a_row(std::span<const std::uint32_t> lengths, std::int64_t sequence_len) {
  io::Packing packing;
  packing.documents.resize(lengths.size()), packing.ends.resize(lengths.size());
  std::iota(packing.documents.begin(), packing.documents.end(), std::uint32_t{0});
  std::iota(packing.ends.begin(), packing.ends.end(), std::uint64_t{1});
  packing.fullness = std::accumulate(lengths.begin(), lengths.end(), 0.0) /
                     (static_cast<double>(lengths.size()) * static_cast<double>(sequence_len));
  return packing;
}

io::Packing plan(const io::DocumentSource& documents, std::span<const std::uint32_t> chosen,
                 std::int64_t sequence_len, bool packed) {
  if (chosen.empty())
    fail(ExitCode::damaged,
         "the datasets hold no document of at most {} tokens; look at the fields of their "
         "rows, or raise sequence_len",
         sequence_len);
  std::vector<std::uint32_t> lengths(chosen.size());
  for (std::size_t i = 0; i < chosen.size(); ++i)
    lengths[i] = static_cast<std::uint32_t>(documents.document(chosen[i]).ids.size());
  return packed ? io::pack(lengths, static_cast<std::uint32_t>(sequence_len))
                : one_a_row(lengths, sequence_len);
}

}  // namespace

DocumentRows::DocumentRows(std::shared_ptr<const io::DocumentSource> documents,
                           std::vector<std::uint32_t> chosen, std::int64_t sequence_len, bool packed)
    : documents_(std::move(documents)),
      chosen_(std::move(chosen)),
      packed_(packed),
      packing_(plan(*documents_, chosen_, sequence_len, packed)) {}

std::vector<std::int64_t> DocumentRows::read(std::int64_t row, const RowPlace& place) const {
  std::vector<std::int64_t> lengths;
  std::size_t at = 0;
  for (const std::uint32_t place_of : packing_.bin(static_cast<std::uint64_t>(row))) {
    const io::DocumentView document = documents_->document(chosen_[place_of]);
    const std::size_t length = document.ids.size();
    for (std::size_t i = 0; i < length; ++i) {
      place.tokens[at + i] = document.ids[i];
      place.positions[at + i] = static_cast<std::int64_t>(i);
      if (i > 0 && document.scored[i]) place.labels[at + i - 1] = document.ids[i];
    }
    at += length;
    lengths.push_back(static_cast<std::int64_t>(length));
  }
  // Padding has positions of its own, so that none is beyond the model's last.
  std::iota(place.positions.begin() + static_cast<std::ptrdiff_t>(at), place.positions.end(),
            std::int64_t{0});
  if (!packed_) return {};
  return lengths;
}

}  // namespace trireme::train
