#pragma once
#include <cstddef>
#include <span>

#include "comm/shm/sharing.h"

namespace trireme::offload {

/// Memory that the ranks of a node hold once and all address: state that would otherwise be there as often as
/// the node has ranks. Made and destroyed by all of them together.
class NodeShared {
 public:
  /// Collective; every rank names the same size. Zeroed, by the first rank.
  NodeShared(comm::Sharing& ranks, std::size_t bytes);

  std::span<std::byte> whole() const { return whole_; }
  /// The part that one rank of the node fills and moves over its own link: equal parts at cache lines, the
  /// last ones shorter or empty.
  std::span<std::byte> part(int rank) const;
  std::span<std::byte> mine() const { return part(rank_); }
  /// Returns when every rank of the node has come here; what each wrote before is seen by all after.
  void meet();

 private:
  comm::Sharing& ranks_;
  int rank_, size_;
  comm::SharedSegment segment_;
  std::span<std::byte> whole_;
};

}  // namespace trireme::offload
