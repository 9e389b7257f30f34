#include "comm/shards.h"

#include <algorithm>

namespace trireme::comm {

Shards::Shards(std::vector<std::size_t> counts)
    : ranks_(static_cast<int>(counts.size())), counts_(std::move(counts)) {
  offsets_.resize(counts_.size() + 1, 0);
  std::partial_sum(counts_.begin(), counts_.end(), offsets_.begin() + 1);
}

Shards Shards::cut(std::size_t total, int ranks, std::size_t granule) {
  const std::size_t n = static_cast<std::size_t>(ranks);
  const std::size_t granules = (total + granule - 1) / granule;
  const std::size_t each = (granules + n - 1) / n * granule;
  if (each * n == total) return even(each, ranks);
  std::vector<std::size_t> counts(n);
  std::size_t left = total;
  for (auto& count : counts) {
    count = std::min(each, left);
    left -= count;
  }
  return of(std::move(counts));
}

}  // namespace trireme::comm
