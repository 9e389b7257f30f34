#include "offload/host/node_shared.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::offload {
namespace {

constexpr std::size_t cache_line = 64;

}  // namespace

NodeShared::NodeShared(comm::Sharing& ranks, std::size_t bytes)
    : ranks_(ranks), rank_(ranks.rank()), size_(ranks.size()) {
  for (const std::uint64_t other : ranks.exchange(bytes))
    require(other == bytes, "ranks of a node share {} and {} bytes as one", bytes, other);
  segment_ = ranks.create(rank_ == 0 ? bytes : 0);
  whole_ = {segment_.parts.front(), bytes};
}

std::span<std::byte> NodeShared::part(int rank) const {
  const std::size_t lines = (whole_.size() + cache_line - 1) / cache_line;
  const auto ranks = static_cast<std::size_t>(size_), r = static_cast<std::size_t>(rank);
  const std::size_t each = (lines + ranks - 1) / ranks * cache_line;
  const std::size_t begin = std::min(r * each, whole_.size()), end = std::min(begin + each, whole_.size());
  return whole_.subspan(begin, end - begin);
}

void NodeShared::meet() {
  ranks_.exchange(0);
}

}  // namespace trireme::offload
