#include "sharding/partition.h"

#include <algorithm>

#include "core/error.h"

namespace trireme::sharding {

Partition::Partition(int world, std::vector<int> spans) : world_(world), chain_(std::move(spans)) {
  chain_.push_back(1);
  std::sort(chain_.begin(), chain_.end());
  chain_.erase(std::unique(chain_.begin(), chain_.end()), chain_.end());
  for (std::size_t i = 1; i < chain_.size(); ++i)
    require(chain_[i] % chain_[i - 1] == 0, "spans {} and {} are not nested", chain_[i - 1], chain_[i]);
  require(world % chain_.back() == 0, "a span of {} does not divide a world of {}", chain_.back(), world);
}

int Partition::slice(int rank, int span) const {
  int slice = 0;
  for (std::size_t i = 1; i < chain_.size() && chain_[i] <= span; ++i) {
    const int inner = chain_[i - 1], ratio = chain_[i] / inner;
    slice = slice * ratio + rank / inner % ratio;
  }
  return slice;
}

comm::Group Partition::between(int rank, int inner, int outer) const {
  comm::Group group;
  const int first = rank / outer * outer;
  for (int other = first; other < first + outer; ++other)
    if (slice(other, inner) == slice(rank, inner)) group.ranks.push_back(other);
  std::sort(group.ranks.begin(), group.ranks.end(),
            [&](int a, int b) { return slice(a, outer) < slice(b, outer); });
  return group;
}

comm::Group Partition::replicas(int rank, int span) const {
  comm::Group group;
  for (int other = rank % span; other < world_; other += span) group.ranks.push_back(other);
  return group;
}

}  // namespace trireme::sharding
