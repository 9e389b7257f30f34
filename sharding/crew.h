#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/lane.h"
#include "sharding/layout.h"

namespace trireme::sharding {

/// Threads that share a loop over elements: the caller's, and others that sleep between loops.
class Crew {
 public:
  Crew(int threads, const std::string& name);
  using Work = std::function<void(std::int64_t begin, std::int64_t count)>;
  /// Calls `work` for disjoint runs that make up [0, elements), cut where `granule` may be cut.
  void share(std::int64_t elements, const Work& work, const Granule& granule = {});
  /// The sum of what `work` gives for runs of a fixed length, added in their order: the same for any number
  /// of threads.
  double sum(std::int64_t elements,
             const std::function<double(std::int64_t begin, std::int64_t count)>& work);

 private:
  std::vector<std::unique_ptr<Lane>> others_;
};

}  // namespace trireme::sharding
