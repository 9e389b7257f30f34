#pragma once
#include <vector>

#include "comm/group.h"

namespace trireme::sharding {

/// Who holds which slice when one flat vector is split over several spans at once, each a multiple of the one
/// before.
///
/// A rank's slice of a wider span always lies inside its slice of a narrower one, so that going from one span
/// to another is a gather or a reduction among a few ranks and never a reshuffle. Within the narrowest span
/// slices go by consecutive ranks.
class Partition {
 public:
  /// `spans` in any order, with or without 1; each divides the next larger one and the world.
  Partition(int world, std::vector<int> spans);

  const std::vector<int>& chain() const { return chain_; }
  /// Which slice of `span` a rank holds.
  int slice(int rank, int span) const;
  /// The ranks that together hold `rank`'s slice of `inner`, in the order of their slices of `outer`; inner 1
  /// is the whole vector.
  comm::Group between(int rank, int inner, int outer) const;
  /// The ranks of the world with the same slice of `span`, in ascending order.
  comm::Group replicas(int rank, int span) const;

 private:
  int world_;
  std::vector<int> chain_;
};

}  // namespace trireme::sharding
