#pragma once
#include <vector>

#include "sharding/layout.h"
#include "sharding/optimizer.h"
#include "sharding/partition.h"
#include "sharding/placement.h"
#include "sharding/schedule.h"
#include "sharding/unit.h"

namespace trireme::sharding {

/// A model under a placement: how each group is laid out, and what the passes need to know. The same on every
/// rank.
struct Blueprint {
  ScheduleFacts facts;
  std::vector<Layout> layouts;
  std::vector<DType> stored;
  /// Groups whose fp32 masters are kept as the bf16 parameters and the bits that those lack.
  std::vector<char> splits_master;
  std::vector<Partition> partitions;
  /// Pinned host memory of a rank in which drives and device meet (offload/nvme/backend.h).
  std::uint64_t meeting_bytes = 0;

  const GroupFacts& group(int index) const { return facts.groups[static_cast<std::size_t>(index)]; }
};

/// Throws a configuration error when the placement does not fit the ranks.
Blueprint draw(const Model& model, const Placement& placement, const Extent& extent, Granule granule);

}  // namespace trireme::sharding
