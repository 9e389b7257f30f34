#pragma once
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace trireme::comm {

/// How a flat vector is cut over the ranks of a group: the same count for each, or one count a rank.
class Shards {
 public:
  static Shards even(std::size_t each, int ranks) { return Shards(each, ranks); }
  static Shards of(std::vector<std::size_t> counts) { return Shards(std::move(counts)); }
  /// Cuts `total` into `ranks` parts, each a multiple of `granule` but the last that holds anything.
  static Shards cut(std::size_t total, int ranks, std::size_t granule = 1);

  int ranks() const { return ranks_; }
  bool uniform() const { return counts_.empty(); }
  std::size_t count(int rank) const { return uniform() ? each_ : counts_[static_cast<std::size_t>(rank)]; }
  std::size_t offset(int rank) const {
    return uniform() ? each_ * static_cast<std::size_t>(rank) : offsets_[static_cast<std::size_t>(rank)];
  }
  std::size_t total() const { return uniform() ? each_ * static_cast<std::size_t>(ranks_) : offsets_.back(); }

 private:
  Shards(std::size_t each, int ranks) : each_(each), ranks_(ranks) {}
  explicit Shards(std::vector<std::size_t> counts);

  std::size_t each_ = 0;
  int ranks_ = 0;
  std::vector<std::size_t> counts_;
  std::vector<std::size_t> offsets_;
};

}  // namespace trireme::comm
